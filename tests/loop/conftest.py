"""One real system for all tests of the loop: it turns once, stops, and goes on from its state directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loop.processes import processes_of
from tests.loop.turn import Turned
from trials.system import System
from understudy.process.scratch import Scratch
from understudy.state import StateDir

SHORT = {
    "UNDERSTUDY_TRAINER__BUDGET_SECONDS": "25",
    "UNDERSTUDY_ROLLOUT__STEPS": "[{share: 0.25, min_exposures: 5, max_wait_seconds: 5, on_timeout: promote}]",
}


@pytest.fixture(scope="package")
def system(turned: Turned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The same state directory, started again without traffic; its rounds and canaries are short."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("HOME", "TMPDIR")}
    running = System(turned.state, "--no-traffic", env={**SHORT, **{k: str(path) for k, path in folders.items()}})
    try:
        running.wait_ready()
        for one in running.admin.get("/experiments").raise_for_status().json()["experiments"]:
            if one["state"] == "active":  # as the experimenter of the turn left it
                running.admin.delete(f"/experiments/{one['id']}").raise_for_status()
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
    for what in ("learning", "promotion"):
        system.post("/resume", {"what": what})
    return system
