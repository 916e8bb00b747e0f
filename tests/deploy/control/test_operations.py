"""Rollback and promotion by hand on a fleet that obeys: loaded, not loaded, bad, at once, after a crash."""

from __future__ import annotations

import threading
from typing import Literal

import pytest

from ab.experiment import Experiment
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from tests.deploy.fleet import Moving, World, actions, register, to_canary
from tests.waiting import eventually
from understudy.errors import Conflict, IntegrityError, NotFound, Unavailable
from understudy.state import StateDir


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


def test_two_operations_at_once_conflict(world: World) -> None:
    third = register(world.state, "third")
    world.fleet.slow.add(third)
    errors: list[BaseException] = []

    def promote() -> None:
        try:
            world.conductor.acts.perform("promote", third, "test")
        except Unavailable as error:
            errors.append(error)

    with Moving(world):
        waiting = threading.Thread(target=promote, daemon=True)
        waiting.start()
        eventually(lambda: world.conductor.deployment.state.operation, what="a promotion under way")
        with pytest.raises(Conflict, match="under way"):
            world.conductor.acts.perform("rollback", None, "test")
        world.time.at += world.rollout.operation_deadline + 1
        waiting.join(10)
    assert len(errors) == 1
    assert "not loaded within" in str(errors[0])


@pytest.mark.parametrize("ahead", [0, 7])
def test_a_gateway_that_does_not_follow_is_named_after_the_deadline(state_dir: StateDir, ahead: int) -> None:
    world = World(state_dir, follow_deadline=0.3)
    world.turn()
    world.fleet.follows = False
    world.fleet.gateway_epoch += ahead
    with Moving(world):
        answer = world.conductor.acts.perform("rollback", None, "test")
    assert answer["behind"] == ["g1"]
    assert world.turn().stable == "v1"


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


def test_brakes_work_without_an_audit_log_and_other_operations_are_refused(world: World) -> None:
    epoch, log = world.turn().epoch, world.state.audit
    third = register(world.state, "third")
    log.rename(log.with_name("away"))
    log.mkdir()
    for refused in (
        lambda: world.conductor.acts.perform("promote", third, "test"),
        lambda: world.conductor.acts.change(resume="learning", actor="test"),
        lambda: world.conductor.acts.apply(Experiment(id="x", arms={"teacher": 1.0}), "test"),
    ):
        with pytest.raises(Unavailable, match=r"audit\.jsonl cannot be written"):
            refused()
    assert world.turn().epoch == epoch
    with Moving(world):
        answer = world.conductor.acts.perform("rollback", None, "test")
    assert (answer["from"], answer["to"]) == ("v2", "v1")
    assert "not in the audit log yet" in answer["warning"]
    assert world.conductor.acts.change(freeze="student", actor="test") == ("promotion", "student")
    log.rmdir()
    log.with_name("away").rename(log)
    world.turn()
    assert actions(world)[-5:] == [
        "rollback.begun", "version.superseded", "version.restored", "rollback.done", "freeze",
    ]  # fmt: skip
    assert world.conductor.acts.unaudited() == {}


def test_an_operation_that_cannot_be_written_down_changes_nothing(world: World) -> None:
    path = world.state.registry / "rollout.json"
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable, match="nothing changed"):
        world.conductor.acts.perform("rollback", None, "test")
    assert world.turn().stable == "v2"
    assert world.conductor.deployment.state.operation is None
