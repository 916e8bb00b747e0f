"""One real system for all tests of the loop: it turns once, stops, and goes on elsewhere from what was backed up.

Then a round begins only when a test asks for one: a student that went live by itself would be in the way of the others.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loop.backup import kept_in_a_backup
from tests.loop.processes import post, processes_of
from tests.loop.turn import Turned
from tests.waiting import eventually
from trials.system import System
from understudy.process.scratch import Scratch
from understudy.state import StateDir

DEADLINE = 600.0
"""Seconds for a machine that has much else to do."""
SHORT = {
    "UNDERSTUDY_TRAINER__BUDGET_SECONDS": "25",
    "UNDERSTUDY_TRAINER__MIN_FRESH": "1000000",
    "UNDERSTUDY_ENGINES__FORK_WAIT": "300",
    "UNDERSTUDY_ROLLOUT__STEPS": "[{share: 0.25, min_exposures: 5, max_wait_seconds: 5, on_timeout: promote}]",
}


@pytest.fixture(scope="package")
def restored(turned: Turned, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new state directory of what docs/guide.md names for a backup, and of nothing else."""
    place = tmp_path_factory.mktemp("back") / "state"
    for name in kept_in_a_backup():
        if (turned.state / name).exists():
            shutil.copytree(turned.state / name, place / name, symlinks=True)
    return place


@pytest.fixture(scope="package")
def system(restored: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system on what was brought back, started without traffic; its rounds and canaries are short."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("HOME", "TMPDIR")}
    running = System(restored, "--no-traffic", env={**SHORT, **{k: str(path) for k, path in folders.items()}})
    try:
        running.wait_ready(DEADLINE)
        yield running
    finally:
        code = running.stop(300)
    assert code == 0, running.tail()
    eventually(lambda: processes_of(restored) == [], 60, "the end of every process")
    assert not list(restored.glob("run/addresses.json")) + list(restored.glob("run/processes.json"))
    assert [path for folder in folders.values() for path in folder.iterdir()] == []
    assert not Scratch(StateDir(restored)).folder.exists()


@pytest.fixture
def settled(system: System) -> System:
    """The system, after whatever the turn or a test did to it: no experiment, nothing under way or frozen, each engine
    as wanted and left alone by nobody."""
    system.wait_ready(DEADLINE)
    eventually(lambda: at_rest(system), 180, "the end of what is under way, and engines as wanted")
    for one in system.admin.get("/experiments").raise_for_status().json()["experiments"]:
        if one["state"] == "active":
            system.admin.delete(f"/experiments/{one['id']}").raise_for_status()
    for what in ("learning", "promotion"):
        system.post("/resume", {"what": what})
    eventually(lambda: both_answer(system.gateway), 180, "answers of both arms themselves")
    return system


def at_rest(system: System) -> bool:
    """Whether no act, round or canary is under way, and each slot serves what it should; ends a round that is."""
    status = system.status()
    if status.round.id is not None:
        system.admin.post("/rounds/abort", json={})  # refused where it has just ended, or its candidate goes live
    idle = status.operation is None and status.rollout is None and status.round.id is None
    return idle and all(slot.ready and slot.version == slot.desired for slot in status.slots.values() if slot.desired)


def both_answer(base: str) -> bool:
    """Whether each arm answers its own requests: none is still left alone because of what was done to its engine."""
    arms = ("teacher", "student")
    answers = [post(base, arm) for arm in arms]
    return [(one.status_code, one.headers["x-understudy-arm"]) for one in answers] == [(200, arm) for arm in arms]
