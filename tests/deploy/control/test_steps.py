from __future__ import annotations

import pytest

from deploy.control.conductor import Conductor
from deploy.control.context import ControlContext
from deploy.control.steps import FOLLOW
from deploy.life.config import GateConfig
from deploy.rounds.store import FileRounds
from tests.deploy.fleet import Time, World, to_canary


def test_a_further_step_sees_what_was_reported_and_is_in_the_same_ticks_document(world: World) -> None:
    seen: list[set[str]] = []

    def watch(context: ControlContext) -> None:
        seen.append(set(context.deployment.beats))
        if len(seen) == 2:
            context.deployment.change(frozen=("learning",))

    made = Conductor(world.conductor.deployment, world.conductor.routing, GateConfig(), further=(watch,))
    made.tick()
    assert made.document is not None
    epoch = made.document.epoch
    made.tick()
    assert (made.document.epoch, made.document.frozen) == (epoch + 1, ("learning",))
    assert seen == [{"teacher", "student-a", "student-b"}] * 2


def test_a_step_that_fails_ends_its_tick_and_the_next_one_begins_anew(world: World) -> None:
    calls: list[int] = []

    def fail_once(context: ControlContext) -> None:
        calls.append(1)
        if len(calls) == 1:
            context.deployment.change(frozen=("learning",))
            raise OSError("once")

    made = Conductor(world.conductor.deployment, world.conductor.routing, GateConfig(), further=(fail_once,))
    before = made.document
    with pytest.raises(OSError, match="once"):
        made.tick()
    assert made.document == before
    made.tick()
    assert made.document is not None
    assert made.document.frozen == ("learning",)


def test_a_round_ends_although_a_gateway_does_not_follow_for_long(world: World) -> None:
    elapsed = Time()
    world.start(elapsed)
    version = world.candidate()
    to_canary(world, version)
    world.fleet.follows = False
    world.evidence(version, 60)
    assert world.turn(5).stable == version
    assert FileRounds(world.state).get(1).state == "live"
    elapsed.at += FOLLOW + 1
    world.turn()
    assert FileRounds(world.state).get(1).state == "done"
