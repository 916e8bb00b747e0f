"""What operators do, on a fleet that obeys: experiments, aborted rounds, brakes, one operation at a time."""

from __future__ import annotations

import threading

import pytest

from ab.experiment import Experiment
from deploy.audit.log_file import FileAuditLog
from deploy.life.state import AskedFor
from deploy.rounds.store import FileRounds
from tests.deploy.fleet import Moving, Time, World, actions, register, to_canary
from tests.waiting import eventually
from understudy.errors import Conflict, NotFound, Unavailable
from understudy.state import StateDir


def test_an_experiment_is_in_the_next_document_and_gone_after_it_is_stopped(world: World) -> None:
    experiment = Experiment(id="实验-1".encode().hex(), arms={"teacher": 0.5, "student": 0.5})
    epoch = world.conductor.acts.apply(experiment, "test")
    assert world.turn().experiments == (experiment,)
    assert world.turn().epoch == epoch
    world.start()
    assert world.turn().epoch == epoch
    world.conductor.acts.stop_experiment(experiment.id, "test")
    assert world.turn().experiments == ()


def test_phases_are_in_the_document_and_the_log_and_go_on_after_a_crash(world: World) -> None:
    def apply(student: float) -> None:
        arms = {"teacher": 1 - student, "student": student}
        world.conductor.acts.apply(Experiment.model_validate({"id": "a", "arms": arms}), "test")

    apply(0.5)
    apply(0.7)
    document = world.turn()
    assert (document.phases["a"].number, document.phases["a"].shares["student"]) == (2, pytest.approx(0.7))
    assert document.reason == "experiments"
    world.start()
    assert world.turn().epoch == document.epoch
    told = [
        entry["details"] for entry in FileAuditLog(world.state.audit).entries() if entry["action"] == "experiment.phase"
    ]
    assert [(one["experiment"], one["phase"], one["why"]) for one in told] == [("a", 1, "applied"), ("a", 2, "shares")]


def test_a_pinned_version_is_loaded_in_the_second_slot_until_a_rollback_takes_it(world: World) -> None:
    third = register(world.state, "third")
    file = {"id": "a", "arms": {"student": 0.5, f"student:{third}": 0.5}}
    world.conductor.acts.apply(Experiment.model_validate(file), "test")
    document = world.turn()
    assert document.slot_of(third, "student") is not None
    assert document.phases["a"].versions == {"student": "v2", f"student:{third}": third}
    with Moving(world):
        world.conductor.acts.perform("rollback", None, "test")
    document = world.turn()
    assert (document.stable, document.slot_of(third, "student")) == ("v1", None)
    assert document.phases["a"].versions == {"student": "v1", f"student:{third}": "v1"}


def test_what_was_written_down_and_could_not_be_done_follows_when_it_can(world: World) -> None:
    passed = Time()
    world.start(passed)
    world.turn()
    place = world.state.registry / "experiments"
    place.write_text("where a folder should be")
    with pytest.raises(Unavailable, match="written down and follows"):
        world.conductor.acts.apply(Experiment(id="a", arms={"teacher": 1.0}), "test")
    passed.at += 6
    assert world.turn().experiments == ()
    place.unlink()
    passed.at += 6
    assert [one.id for one in world.turn().experiments] == ["a"]
    assert actions(world).count("experiment.applied") == 1
    assert world.conductor.deployment.state.asked == ()


def test_what_can_never_be_done_is_told_and_holds_up_nothing_after_it(world: World) -> None:
    gone = AskedFor(id="1", act="abort", actor="test", round=7)
    apply = AskedFor(id="2", act="apply", actor="test", name="a", experiment={"id": "a", "arms": {"teacher": 1.0}})
    strange = apply.model_copy(update={"id": "3", "experiment": {"of": "another release"}})
    world.conductor.deployment.change(asked=(gone, strange, apply))
    world.start()
    assert [one.id for one in world.turn().experiments] == ["a"]
    assert [action for action in actions(world) if action.endswith(".failed")] == ["abort.failed", "apply.failed"]


@pytest.mark.parametrize(
    ("turns", "stage", "then"), [(0, "gate", "rejected"), (1, "canary", "rolled_back"), (5, "canary", "rolled_back")]
)
def test_a_round_that_an_operator_aborts_takes_its_candidate_back(
    world: World, turns: int, stage: str, then: str
) -> None:
    if turns == 1:
        world.conductor.acts.change(freeze="promotion", actor="test")
    version = world.candidate()
    if turns:
        world.turn(turns)
    answer = world.conductor.acts.abort_round(None, "operator")
    assert answer == {
        "round": 1, "stage": stage, "state": "failed", "candidate": version, "why": "aborted by operator",
    }  # fmt: skip
    document = world.turn(5)
    assert (document.stable, document.candidate, document.slots["student-b"].desired) == ("v2", None, "v1")
    assert world.conductor.deployment.state.record(version).state == then
    assert FileRounds(world.state).get(1).stages[stage].summary["why"] == "aborted by operator"
    assert {"round.aborted", "version.gate_failed" if stage == "gate" else "version.aborted"} <= set(actions(world))
    for number in (None, 1, 7):
        with pytest.raises((NotFound, Conflict), match=r"under way|ended already: failed|no round 7"):
            world.conductor.acts.abort_round(number, "operator")


def test_a_round_whose_candidate_is_live_is_not_aborted(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.fleet.follows = False
    world.evidence(version, 60)
    assert world.turn(5).stable == version
    with pytest.raises(Conflict, match="understudy rollback"):
        world.conductor.acts.abort_round(1, "operator")
    assert FileRounds(world.state).get(1).state == "live"


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
        waiting.join(60)
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
