"""The one turn of the loop that all tests of the loop look at, begun as early as the session knows that it is wanted.

It takes minutes in which this process would only wait, so other tests run beside it, and those of the loop come last.
At full counts nothing runs beside it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serving.up.goal import OVERTIME_SECONDS
from tests.loop.experimenter import Experimenter
from tests.waiting import LONG
from trials.system import ROOT, on_free_ports

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
TURN_SECONDS = 2700
"""For a machine that is slow, and has much else to do."""
SMALL = {
    "UNDERSTUDY_TRAINER__BUDGET_SECONDS": "200",
    "UNDERSTUDY_TRAINER__MIN_FRESH": "120",
    "UNDERSTUDY_TRAINER__MIN_STEPS": "300",
    "UNDERSTUDY_TRAINER__MAX_STEPS": "300",
    "UNDERSTUDY_UP__RATE": "1.0",
    "UNDERSTUDY_UP__WARM_SECONDS": "15",
    "UNDERSTUDY_GATE__SAFETY_PROMPTS": "100",
}
"""A shorter round on fewer samples, of as many steps on any machine, beside fewer customers, whose replies take engines
half a second of a core each; at full counts `up` keeps its own settings."""
BESIDE = {"UNDERSTUDY_TRAINER__NICE": "0", "UNDERSTUDY_ENGINES__FORK_WAIT": "300"}
"""Where other tests run, too, the round takes its share of the machine, and a late fork server is waited for."""
USERS = {"UNDERSTUDY_UP__USERS": "600"}
"""So many that an experiment on them can say something."""
BEGUN = pytest.StashKey["Turn"]()


@dataclass(frozen=True)
class Turned:
    """A finished `up --until-swap`: its state directory, exit code, output and report, and what an experimenter saw."""

    state: Path
    code: int
    output: str
    report: dict[str, Any]
    looks: dict[str, list[dict[str, Any]]]


class Turn:
    """`up --until-swap` from a fresh state in `folder`, as `make up` does it, until a distilled student is live."""

    def __init__(self, folder: Path, *, beside: bool) -> None:
        settings = {} if FULL else {**SMALL, **(BESIDE if beside else {})}
        self._state, self._report, self._log = folder / "state", folder / "report.json", folder / "up.log"
        command = [
            sys.executable, "-m", "understudy", "up", "--state", str(self._state), "--until-swap",
            "--timeout", str(TURN_SECONDS), "--json", str(self._report),
        ]  # fmt: skip
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env={**on_free_ports(), **USERS, **settings}, stdout=out, stderr=out
            )
        self._experimenter = Experimenter(self._state, folder)

    def result(self) -> Turned:
        """Wait for its end."""
        code = self._process.wait(TURN_SECONDS + OVERTIME_SECONDS)
        self._experimenter.end()
        found = json.loads(self._report.read_text()) if self._report.exists() else {}
        output = self._log.read_text("utf-8", "replace") + self._experimenter.refused
        return Turned(self._state, code, output, found, self._experimenter.looks)

    def end(self) -> None:
        """Stop it where nobody has waited for it."""
        self._experimenter.end()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(LONG)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the loop come last, and among them those that need its state at rest before those that run it again.

    Before them come those that need the session's engines, which end then (`tests.engines`).
    """
    items.sort(key=lambda item: (item.get_closest_marker("loop") is not None, "engines" in item.fixturenames,
                                 "system" in item.fixturenames))  # fmt: skip


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin the turn when other tests come before those that need it."""
    wanted = [item.get_closest_marker("loop") is not None for item in session.items]
    if any(wanted) and not wanted[0] and not FULL and not session.config.option.collectonly:
        begin(session.config, beside=True)


def begin(config: pytest.Config, *, beside: bool) -> Turn:
    """The turn of this session, begun now if it was not; `beside` other tests."""
    if BEGUN not in config.stash:
        factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
        config.stash[BEGUN] = Turn(factory.mktemp("loop"), beside=beside)
    return config.stash[BEGUN]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A session that ended early ends the turn too."""
    if turn := session.config.stash.get(BEGUN, None):
        turn.end()


@pytest.fixture(scope="session")
def turned(request: pytest.FixtureRequest) -> Turned:
    """The loop after one turn: a distilled student is live, and everything has stopped."""
    return begin(request.config, beside=False).result()
