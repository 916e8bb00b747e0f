"""The lines of two cuts: the one that was left is kept, and a version that is named and gone is told."""

from __future__ import annotations

import pytest

from deploy.registry.store import Registry
from tests.deploy.fleet import World, beginning, cut, teacher
from understudy.state import StateDir


def two_lines(state_dir: StateDir, rounds: int) -> World:
    """v1 -> v2, left for the cut v3, from which so many versions came by learning."""
    teacher(state_dir)
    world = World(state_dir, students=(), keep_versions=4)
    cut(state_dir)
    world.turn()
    world.learned("v1", 0.02, 0.3)
    world.turn()
    cut(state_dir, "another cut")
    world.turn()
    for step in range(rounds):
        world.learned(str(world.conductor.deployment.state.unfit), 0.05 * step, 0.05 * step + 0.05)
        world.start()  # its first tick looks at what may go
        world.turn()
    return world


def test_a_line_that_was_left_for_another_cut_stays_and_goes_on_when_it_is_named(state_dir: StateDir) -> None:
    world = two_lines(state_dir, 9)
    assert world.conductor.deployment.state.unfit == "v12"
    assert {"v1", "v2", "v3", "v12"} <= Registry(state_dir).names()
    assert not {"v4", "v5", "v6"} & Registry(state_dir).names()
    world.rollout = world.rollout.model_copy(update={"first_student": "v1"})
    world.start()
    assert world.turn().unfit == "v2"
    assert {"v1", "v2", "v3", "v12"} <= Registry(state_dir).names()


@pytest.mark.parametrize("gone", ["v4", "v99"])
def test_a_named_student_that_is_not_there_is_told_once_with_the_one_that_learns_instead(
    state_dir: StateDir, gone: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = two_lines(state_dir, 9)
    world.rollout = world.rollout.model_copy(update={"first_student": gone})
    world.start()
    assert world.turn().unfit == "v12"
    world.learned("v12", 0.5, 0.6)
    assert world.turn().unfit == "v13"
    told = [record.getMessage() for record in caplog.records if "first_student" in record.getMessage()]
    why = {"v4": "archived", "v99": "not registered"}[gone]
    assert told == [f"rollout.first_student names {gone}, which is {why}: v12 learns instead"]


def test_a_student_that_is_named_and_there_is_not_told_of(
    state_dir: StateDir, caplog: pytest.LogCaptureFixture
) -> None:
    world = beginning(state_dir)
    world.rollout = world.rollout.model_copy(update={"first_student": "v1"})
    world.start()
    world.turn()
    world.learned("v1", 0.02, 0.3)
    assert world.turn().unfit == "v2"
    assert "first_student" not in caplog.text
