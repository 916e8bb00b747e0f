"""Somebody sets the wall clock by an hour, on and back: no deadline of the controller's is over sooner or later."""

from __future__ import annotations

import pytest

from deploy.life.config import RolloutStep
from tests.deploy.fleet import World, actions, register, to_canary
from understudy.state import StateDir

HOUR = 3600.0
pytestmark = pytest.mark.parametrize("jump", [HOUR, -HOUR])


def test_a_candidate_that_loads_is_not_taken_back(world: World, jump: float) -> None:
    version = world.candidate()
    world.fleet.slow.add(version)
    assert world.turn(3).candidate == version
    world.jump(jump)
    assert world.turn(3).candidate == version
    world.fleet.slow.clear()
    to_canary(world, version)


def test_a_rollback_under_way_goes_on(world: World, jump: float) -> None:
    third = register(world.state, "third")
    world.fleet.slow.add(third)
    world.conductor.operations.begin("rollback", third, "test")
    world.turn(2)
    world.jump(jump)
    world.turn(2)
    world.start()
    world.turn(2)
    world.fleet.slow.clear()
    assert world.turn(5).stable == third
    assert "rollback.failed" not in actions(world)


def test_a_step_is_not_over_by_time_out(world: World, jump: float) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.jump(jump)
    assert (world.turn(5).candidate, world.turn(5).stable) == (version, "v2")
    world.start()
    world.turn(5)
    world.time.at += 61
    assert world.turn(5).stable == version, "a minute later it is"


def test_deadlines_count_on_while_no_controller_runs(state_dir: StateDir, jump: float) -> None:
    step = RolloutStep(share=0.25, min_exposures=50, max_wait_seconds=600, on_timeout="promote")
    world = World(state_dir, (step,))
    world.turn()
    version = world.candidate()
    to_canary(world, version)
    world.jump(jump)
    world.time.at += 601
    world.start()
    assert world.turn(8).stable == version
