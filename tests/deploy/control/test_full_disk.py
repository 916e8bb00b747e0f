"""A disk that is really full: a rollback and a freeze work, from the reserve, and are there after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.life.kept.store import RolloutFiles
from tests.deploy.fleet import Moving, World, actions, register, to_canary
from tests.volumes import small_volume
from understudy.errors import Unavailable
from understudy.state import StateDir


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """A world on a file system of 8 MiB."""
    with small_volume(tmp_path / "disk", 8 << 20) as disk:
        world = World(StateDir(disk / "state"))
        world.turn()
        yield world


def fill(world: World) -> Path:
    """Take all the room that is left."""
    ballast = world.state.root.parent / "ballast"
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    with pytest.raises(OSError, match="No space left"):
        (world.state.root / "more").write_bytes(b"x" * 4096)
    return ballast


def test_a_rollback_works_and_a_promotion_is_refused(small: World) -> None:
    third = register(small.state, "third")
    ballast = fill(small)
    with pytest.raises(Unavailable, match="No space left"):
        small.conductor.acts.perform("promote", third, "test")
    with Moving(small):
        answer = small.conductor.acts.perform("rollback", None, "test")
    assert (answer["from"], answer["to"]) == ("v2", "v1")
    state = RolloutFiles(small.state.registry).load()
    assert state is not None
    assert state.stable == "v1"
    assert small.start().document == small.conductor.document
    assert small.turn().stable == "v1"
    ballast.unlink()
    small.turn()
    assert [a for a in actions(small) if a.startswith("rollback")] == ["rollback.begun", "rollback.done"]


def test_a_freeze_works_and_a_rollback_that_ends_a_canary(small: World) -> None:
    version = small.candidate()
    to_canary(small, version)
    fill(small)
    assert small.conductor.acts.change(freeze="learning", actor="test") == ("learning",)
    with Moving(small):
        assert small.conductor.acts.perform("rollback", None, "test")["to"] == "v1"
    assert small.turn().candidate is None
    assert small.conductor.deployment.state.record(version).state == "rolled_back"


def test_a_rollback_that_loads_first_goes_on_although_somebody_else_takes_the_room_meanwhile(small: World) -> None:
    third = register(small.state, "third")
    small.fleet.slow.add(third)
    fill(small)
    with small.conductor.deployment.reserve.spending():
        small.conductor.operations.begin("rollback", third, "test")
    for _ in range(2):
        fill(small)
        small.turn(1)
    small.fleet.slow.clear()
    for _ in range(4):
        small.turn(1)
        fill(small)
    assert small.turn(1).stable == third


def test_a_candidate_that_does_harm_is_taken_back(small: World) -> None:
    version = small.candidate()
    to_canary(small, version)
    fill(small)
    small.evidence(version, 40, abnormal_termination=0.7)
    small.evidence("v2", 200)
    document = small.turn()
    assert (document.stable, document.candidate) == ("v2", None)
    assert small.conductor.deployment.state.record(version).state == "rolled_back"


def test_the_reserve_is_filled_again_when_there_is_room(small: World) -> None:
    reserve = small.conductor.context.deployment.reserve
    whole = reserve.refill()
    ballast = fill(small)
    with Moving(small):
        small.conductor.acts.perform("rollback", None, "test")
    assert reserve.refill() < whole
    ballast.unlink()
    assert reserve.refill() == whole
