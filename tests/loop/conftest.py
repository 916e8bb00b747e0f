"""One real system for all tests of the loop: it turns once, stops, and goes on from its state directory.

Then a round begins only when a test asks for one: a student that went live by itself would be in the way of the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loop.processes import processes_of
from tests.loop.turn import Turned
from tests.waiting import eventually
from trials.system import System
from understudy.process.scratch import Scratch
from understudy.state import StateDir

SHORT = {
    "UNDERSTUDY_TRAINER__BUDGET_SECONDS": "25",
    "UNDERSTUDY_TRAINER__MIN_FRESH": "1000000",
    "UNDERSTUDY_ENGINES__FORK_WAIT": "300",
    "UNDERSTUDY_ROLLOUT__STEPS": "[{share: 0.25, min_exposures: 5, max_wait_seconds: 5, on_timeout: promote}]",
}


@pytest.fixture(scope="package")
def system(turned: Turned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The same state directory, started again without traffic; its rounds and canaries are short."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("HOME", "TMPDIR")}
    running = System(turned.state, "--no-traffic", env={**SHORT, **{k: str(path) for k, path in folders.items()}})
    try:
        running.wait_ready()
        yield running
    finally:
        code = running.stop(120)
    assert code == 0, running.tail()
    assert processes_of(turned.state) == []
    assert not list(turned.state.glob("run/addresses.json")) + list(turned.state.glob("run/processes.json"))
    assert [path for folder in folders.values() for path in folder.iterdir()] == []
    assert not Scratch(StateDir(turned.state)).folder.exists()


@pytest.fixture
def settled(system: System) -> System:
    """The system, after whatever the turn or a test did to it: ready, no experiment, nothing under way or frozen."""
    system.wait_ready()
    eventually(lambda: system.status().operation is None, 180, "the end of a rollback or promotion")
    for one in system.admin.get("/experiments").raise_for_status().json()["experiments"]:
        if one["state"] == "active":
            system.admin.delete(f"/experiments/{one['id']}").raise_for_status()
    for what in ("learning", "promotion"):
        system.post("/resume", {"what": what})
    return system
