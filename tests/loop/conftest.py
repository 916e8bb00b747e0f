"""One real system for all tests of the loop: it turns once, stops, and goes on from its state directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serving.up.goal import OVERTIME_SECONDS
from tests.loop.processes import processes_of
from trials.system import ROOT, System, on_free_ports
from understudy.process.scratch import Scratch
from understudy.state import StateDir

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
TURN_SECONDS = 900
SMALL = {
    "UNDERSTUDY_TRAINER__BUDGET_SECONDS": "90",
    "UNDERSTUDY_TRAINER__MIN_FRESH": "120",
    "UNDERSTUDY_UP__WARM_SECONDS": "15",
}
"""A shorter round on fewer samples; at full counts `up` keeps its own settings."""

SHORT = {
    "UNDERSTUDY_TRAINER__BUDGET_SECONDS": "25",
    "UNDERSTUDY_ROLLOUT__STEPS": "[{share: 0.25, min_exposures: 5, max_wait_seconds: 5, on_timeout: promote}]",
}


@dataclass(frozen=True)
class Turned:
    """A finished `up --until-swap`: its state directory, exit code, output and report."""

    state: Path
    code: int
    output: str
    report: dict[str, Any]


@pytest.fixture(scope="session")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Turned:
    """Run the whole loop once from a fresh state, as `make up` does, until a distilled student is live."""
    state = tmp_path_factory.mktemp("loop") / "state"
    report = state.parent / "report.json"
    command = [
        sys.executable, "-m", "understudy", "up", "--state", str(state), "--until-swap",
        "--timeout", str(TURN_SECONDS), "--json", str(report),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env={**on_free_ports(), **({} if FULL else SMALL)}, capture_output=True, text=True,
        timeout=TURN_SECONDS + OVERTIME_SECONDS,
    )  # fmt: skip
    found = json.loads(report.read_text()) if report.exists() else {}
    return Turned(state, done.returncode, done.stdout + done.stderr, found)


@pytest.fixture(scope="package")
def system(turned: Turned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The same state directory, started again without traffic; its rounds and canaries are short."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("HOME", "TMPDIR")}
    running = System(turned.state, "--no-traffic", env={**SHORT, **{k: str(path) for k, path in folders.items()}})
    try:
        running.wait_ready()
        yield running
    finally:
        code = running.stop()
    assert code == 0, running.tail()
    assert processes_of(turned.state) == []
    assert not list(turned.state.glob("run/addresses.json")) + list(turned.state.glob("run/processes.json"))
    assert [path for folder in folders.values() for path in folder.iterdir()] == []
    assert not Scratch(StateDir(turned.state)).folder.exists()


@pytest.fixture
def settled(system: System) -> System:
    """The system, after whatever the test before did to it: ready, nothing frozen."""
    system.wait_ready(120)
    system.post("/resume", {"what": "promotion"})
    return system
