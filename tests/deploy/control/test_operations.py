"""Rollback and promotion by hand on a fleet that obeys: loaded, not loaded, bad, after a crash."""

from __future__ import annotations

from typing import Literal

import pytest

from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from tests.deploy.fleet import Moving, World, actions, register, to_canary
from understudy.errors import Conflict, IntegrityError, NotFound, Unavailable


def test_rollback_to_the_loaded_version_is_one_epoch(world: World) -> None:
    before = world.turn().epoch
    with Moving(world):
        answer = world.conductor.acts.perform("rollback", None, "test")
    assert (answer["from"], answer["to"], answer["epoch"]) == ("v2", "v1", before + 1)
    assert "behind" not in answer
    document = world.turn()
    assert (document.stable, document.previous) == ("v1", ("v2",))
    assert "promotion" in document.frozen
    assert {"rollback.begun", "version.restored", "rollback.done"} <= set(actions(world))


def test_bare_rollbacks_go_further_back_and_not_to_a_version_that_one_has_left(world: World) -> None:
    third = register(world.state, "third")

    def perform(kind: Literal["rollback", "promote"], target: str | None = None) -> str:
        answer = world.conductor.acts.perform(kind, target, "test")
        return f"{answer['from']} {answer['to']}"

    with Moving(world):
        assert perform("promote", third) == f"v2 {third}"
        assert perform("rollback") == f"{third} v2"
        assert perform("rollback") == "v2 v1"
        assert perform("rollback") == "v1 v2", "only versions that were left are there, so the latest"
        assert perform("promote", third) == f"v2 {third}"
        assert perform("promote", "v1") == f"{third} v1"
        assert perform("rollback") == f"v1 {third}", "promoted again, so no longer left"


def test_rollback_to_a_version_that_is_not_loaded_loads_it_first(world: World) -> None:
    for _ in range(2):
        version = world.candidate()
        to_canary(world, version)
        world.evidence(version, 60)
        world.turn(5)
    assert world.turn().previous == ("v3", "v2", "v1")
    with Moving(world):
        answer = world.conductor.acts.perform("rollback", "v1", "test")
    assert (answer["from"], answer["to"]) == ("v4", "v1")
    assert world.turn().slot_of("v1", "student") is not None
    assert world.turn().previous == ("v4", "v3", "v2")


def test_rollback_to_a_version_that_cannot_be_loaded_leaves_all_as_it_was(world: World) -> None:
    third = register(world.state, "third")
    world.fleet.refuse[third] = "weights are not finite"
    with Moving(world), pytest.raises(Unavailable, match=f"{third}.*not finite"):
        world.conductor.acts.perform("rollback", third, "test")
    document = world.turn()
    assert (document.stable, document.slots["student-b"].desired) == ("v2", "v1")
    assert world.conductor.deployment.state.operation is None


def test_rollback_to_a_version_that_was_changed_is_refused_before_anything_loads(world: World) -> None:
    file = Registry(world.state).path("v1") / "model.safetensors"
    file.write_bytes(b"x" + file.read_bytes()[1:])
    with pytest.raises(IntegrityError, match=r"v1/model\.safetensors"):
        world.conductor.acts.perform("rollback", None, "test")
    assert world.turn().stable == "v2"
    assert "v1" in world.conductor.deployment.state.bad


def test_a_bare_rollback_passes_over_a_damaged_version(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 60)
    world.turn(5)
    assert world.turn().previous == ("v2", "v1")
    file = Registry(world.state).path("v2") / "model.safetensors"
    file.write_bytes(b"x" + file.read_bytes()[1:])
    with Moving(world):
        answer = world.conductor.acts.perform("rollback", None, "test")
    assert (answer["from"], answer["to"]) == (version, "v1")
    assert "v2" in world.conductor.deployment.state.bad


def test_rollback_during_a_canary_ends_the_canary(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    with Moving(world):
        answer = world.conductor.acts.perform("rollback", None, "test")
    assert (answer["from"], answer["to"]) == ("v2", "v1")
    assert world.conductor.deployment.state.record(version).state == "rolled_back"
    assert FileRounds(world.state).get(1).state == "rolled_back"
    assert world.conductor.deployment.state.canary is None
    document = world.turn()
    assert (document.candidate, document.candidate_share) == (None, 0.0)
    assert version not in {view.desired for view in document.slots.values()}


def test_a_gateway_above_every_epoch_of_ours_is_behind(world: World) -> None:
    document = world.turn()
    assert world.conductor.context.behind(document.epoch - 1) == []
    world.fleet.routing.beats.report_gateway("g2", document.epoch + 5, "")
    assert world.conductor.context.behind(document.epoch) == ["g2"]


def test_an_operation_goes_on_after_a_crash(world: World) -> None:
    third = register(world.state, "third")
    world.conductor.operations.begin("promote", third, "test")
    world.start()
    assert world.turn(5).stable == third


@pytest.mark.parametrize("target", ["v2", "v9"])
def test_what_cannot_be_rolled_back_to_is_said(world: World, target: str) -> None:
    with pytest.raises((Conflict, NotFound), match=target):
        world.conductor.acts.perform("rollback", target, "test")
    assert world.turn().stable == "v2"


def test_an_operation_that_cannot_be_written_down_changes_nothing(world: World) -> None:
    path = world.state.registry / "rollout.json"
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable, match="nothing changed"):
        world.conductor.acts.perform("rollback", None, "test")
    assert world.turn().stable == "v2"
    assert world.conductor.deployment.state.operation is None


def test_a_version_that_the_gate_refused_says_so_once_it_is_promoted_by_hand(world: World) -> None:
    version = world.candidate(general=-0.2)
    world.turn()
    with Moving(world):
        world.conductor.acts.perform("promote", version, "test")
    record = world.conductor.deployment.state.record(version)
    assert record.state == "live"
    assert record.caveats[-1].startswith(
        "promoted by hand, refused by the gate: general prompts: 30 exact replies lost"
    )


def promoted_by_hand(world: World, version: str) -> str:
    """Promote it; the caveat that says so, which the answer holds as well as the record."""
    with Moving(world):
        answer = world.conductor.acts.perform("promote", version, "test")
    record = world.conductor.deployment.state.record(version)
    assert (record.state, answer["caveats"]) == ("live", list(record.caveats))
    return record.caveats[-1]


def test_a_version_promoted_by_hand_past_its_canary_says_what_nobody_knows_of_it(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    assert promoted_by_hand(world, version).startswith("promoted by hand before its canary had ended")


def test_a_version_that_its_canary_took_back_or_no_gate_judged_says_so_when_promoted_by_hand(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 50, abnormal_termination=0.6)
    world.evidence("v2", 200)
    assert world.turn().candidate is None
    said = promoted_by_hand(world, version)
    assert said.startswith("promoted by hand, taken back before: abnormal_termination")
    world.time.at += 1
    assert promoted_by_hand(world, register(world.state, "of others")) == "promoted by hand, judged by no gate"


def test_a_version_that_was_live_before_goes_back_without_a_word(world: World) -> None:
    with Moving(world):
        assert "caveats" not in world.conductor.acts.perform("rollback", None, "test")
