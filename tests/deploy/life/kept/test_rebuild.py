"""The controller's state lost: what the audit log and the last document tell of it is in force again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.audit.log_file import FileAuditLog
from deploy.life.deployment import Deployment
from deploy.life.document import Settings
from deploy.rounds.store import FileRounds
from tests.deploy.fleet import Moving, World, actions, to_canary


def rollout(world: World) -> Path:
    return world.state.registry / "rollout.json"


def unreadable(world: World) -> None:
    rollout(world).write_bytes(rollout(world).read_bytes()[:-200])


def gone(world: World) -> None:
    rollout(world).unlink()


def of_a_later_release(world: World) -> None:
    rollout(world).write_text('{"schema_version": 99}')


HARMS = (unreadable, gone, of_a_later_release)


def refused_by_the_gate(world: World) -> str:
    """The newest version, which a controller that begins anew would adopt."""
    version = world.candidate(better=-0.2)
    world.turn()
    assert world.conductor.deployment.state.record(version).state == "rejected"
    return version


@pytest.mark.parametrize("harm", HARMS)
def test_a_version_that_the_gate_refused_stays_refused(world: World, harm: Callable[[World], None]) -> None:
    promoted = world.candidate()
    to_canary(world, promoted)
    world.evidence(promoted, 60)
    world.turn(5)
    refused = refused_by_the_gate(world)
    world.conductor.acts.change(freeze="learning", actor="test")
    before = world.conductor.deployment.state
    harm(world)
    world.start()
    document = world.turn(5)
    state = world.conductor.deployment.state
    assert (document.stable, document.previous, document.frozen) == (promoted, ("v2", "v1"), ("learning",))
    assert {v: r.state for v, r in state.versions.items()} == {v: r.state for v, r in before.versions.items()}
    gate = state.record(refused).gate
    assert gate is not None
    assert not gate.passed
    assert FileAuditLog(world.state.audit).verify().entries == len(actions(world))
    assert actions(world).count("rollout.rebuilt") == 1
    world.start()
    assert world.turn() == document
    assert actions(world).count("rollout.rebuilt") == 1


def test_an_unreadable_state_is_kept_beside(world: World) -> None:
    unreadable(world)
    text = rollout(world).read_bytes()
    world.start()
    assert rollout(world).with_name("rollout.json.unreadable").read_bytes() == text


@pytest.mark.parametrize("broken", [False, True])
def test_without_a_log_that_holds_the_document_says_who_is_live(world: World, broken: bool) -> None:
    refused = refused_by_the_gate(world)
    if broken:
        world.state.audit.write_bytes(world.state.audit.read_bytes().replace(b"gate_failed", b"gate_passed"))
    else:
        world.state.audit.unlink()
    unreadable(world)
    world.start()
    document = world.turn(5)
    assert (document.stable, document.previous, document.candidate) == ("v2", ("v1",), None)
    assert refused not in {view.desired for view in document.slots.values()}


def test_a_log_that_ends_before_the_document_does_not_undo_a_promotion(world: World) -> None:
    before = world.state.audit.read_bytes()
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 60)
    assert world.turn(5).stable == version
    world.state.audit.write_bytes(before)
    unreadable(world)
    world.start()
    assert world.turn(5).stable == version
    assert world.conductor.deployment.state.record("v2").state == "previous"


def test_without_log_and_document_the_versions_whose_rounds_went_live_are_all_that_can_be_adopted(world: World) -> None:
    refused = refused_by_the_gate(world)
    for path in (world.state.audit, rollout(world), *world.state.routing.glob("*.json")):
        path.unlink()
    world.start()
    assert world.turn(5).stable == "v2"
    assert world.conductor.deployment.state.record(refused).state == "registered"


def test_a_candidate_and_an_operation_on_their_way_end(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    unreadable(world)
    world.start()
    document = world.turn(5)
    assert (document.stable, document.candidate) == ("v2", None)
    assert world.conductor.deployment.state.record(version).state == "rolled_back"
    assert FileRounds(world.state).get(1).state == "rolled_back"
    world.conductor.operations.begin("rollback", None, "test")
    unreadable(world)
    world.start()
    assert world.turn(5).stable == "v2"
    assert "rollback.failed" in actions(world)
    with Moving(world):
        assert world.conductor.acts.perform("rollback", None, "test")["to"] == "v1"


def test_a_system_that_never_decided_begins_afresh(world: World) -> None:
    for path in (world.state.audit, rollout(world), *world.state.routing.glob("*.json")):
        path.unlink()
    assert Deployment(world.state, Settings()).fresh
