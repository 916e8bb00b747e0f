"""When a routing document is written, under which number, and what it says of a silent slot."""

from __future__ import annotations

import pytest

from deploy.routing.stores import open_routing
from tests.deploy.fleet import Time, World
from understudy.state import StateDir


def test_an_epoch_is_written_only_when_something_changed(world: World) -> None:
    epochs = [world.turn(1).epoch for _ in range(10)]
    assert len(set(epochs)) == 1
    world.conductor.acts.change(freeze="learning", actor="test")
    assert world.turn(1).epoch == epochs[0] + 1


def test_epochs_rise_over_restarts(world: World) -> None:
    before = world.turn().epoch
    world.start()
    assert world.turn().epoch == before
    world.conductor.acts.change(freeze="student", actor="test")
    assert world.turn().epoch == before + 1
    assert world.turn().frozen == ("student",)


@pytest.mark.parametrize("newest", ["", '{"x'])
def test_a_new_controller_starts_above_every_epoch_that_a_gateway_follows(world: World, newest: str) -> None:
    world.conductor.acts.change(freeze="learning", actor="test")
    epoch = world.turn().epoch
    (world.state.routing / "current.json").write_text('{"x')
    for file in world.state.routing.glob("epoch-*.json"):
        file.write_text(newest)
    world.fleet.follows = False
    world.start()
    assert world.turn().epoch > epoch
    world.fleet.follows = True
    world.fleet.routing = open_routing(world.state, None, clock=world.time, passed=world.passed)
    assert world.turn().stable == "v2"
    assert world.fleet.gateway_epoch == world.turn().epoch


def test_a_document_that_was_lost_with_its_successor_gets_a_higher_number(world: World) -> None:
    epoch = world.turn().epoch
    (world.state.routing / f"epoch-{epoch + 1}.json").write_text("")
    world.start()
    assert world.turn().epoch == epoch + 2
    world.start()
    assert world.turn().epoch == epoch + 2


def test_a_silent_slot_keeps_its_view_for_its_grace_and_then_loses_it(state_dir: StateDir) -> None:
    world, elapsed = World(state_dir, slot_grace=20), Time()
    world.start(elapsed)
    before = world.turn()
    world.time.at += 10
    world.conductor.tick()
    assert world.conductor.document is not None
    assert world.conductor.document.slots["student-a"].serves
    assert world.conductor.document.epoch == before.epoch, "nothing that gateways know of the slot has changed"
    elapsed.at += 21
    world.conductor.tick()
    assert not world.conductor.document.slots["student-a"].serves
