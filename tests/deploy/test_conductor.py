"""The controller's decisions on a fleet that obeys: bootstrap, gate, canary, promotion, rollback, crash, faults."""

from __future__ import annotations

import threading
import time

import pytest

from ab.experiment import Experiment
from deploy.audit import AuditLog, verify_chain
from deploy.config import RolloutStep
from deploy.registry import Registry
from deploy.rounds import RoundStore
from tests.deploy.fleet import STEP, World, register
from understudy.errors import Conflict, IntegrityError, NotFound, Unavailable
from understudy.state import StateDir


@pytest.fixture
def world(state_dir: StateDir) -> World:
    made = World(state_dir)
    made.turn()
    return made


class Moving:
    """Keeps controller and fleet going in a thread while a test waits for an answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        while not self._end.is_set():
            self._world.turn(1)
            time.sleep(0.01)

    def __enter__(self) -> Moving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10)


def actions(world: World) -> list[str]:
    return [entry["action"] for entry in AuditLog(world.state.audit).entries()]


def to_canary(world: World, version: str) -> None:
    """From the gate to the first step."""
    document = world.turn(5)
    assert (document.candidate, document.candidate_share) == (version, 0.25)


def test_the_newest_version_is_stable_at_first_and_older_ones_wait_in_the_other_slot(world: World) -> None:
    document = world.turn()
    assert (document.stable, document.previous) == ("v2", ("v1",))
    assert {s: v.version for s, v in document.slots.items() if s != "teacher"} == {"student-a": "v2", "student-b": "v1"}
    assert all(view.serves for slot, view in document.slots.items() if slot != "teacher")


def test_an_epoch_is_written_only_when_something_changed(world: World) -> None:
    epochs = [world.turn(1).epoch for _ in range(10)]
    assert len(set(epochs)) == 1
    world.conductor.change(freeze="learning", actor="test")
    assert world.turn(1).epoch == epochs[0] + 1


def test_epochs_rise_over_restarts(world: World) -> None:
    before = world.turn().epoch
    world.start()
    assert world.turn().epoch == before
    world.conductor.change(freeze="student", actor="test")
    assert world.turn().epoch == before + 1
    assert world.turn().frozen == ("student",)


def test_a_good_candidate_goes_live_by_exposures_and_the_record_says_so(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    assert world.turn().stable == "v2"
    world.evidence(version, 50)
    world.evidence("v2", 200)
    document = world.turn()
    assert (document.stable, document.candidate, document.previous) == (version, None, ("v2", "v1"))
    record = world.conductor.desk.state.record(version)
    assert (record.state, record.decided_by) == ("live", "exposures")
    assert record.steps[0]["exposures"] == 50
    done = RoundStore(world.state).get(1)
    assert done.state == "done"
    assert done.stages["canary"].summary["decided_by"] == "exposures"
    assert done.stages["live"].summary["epoch"] == document.epoch
    assert verify_chain(world.state.audit) > 5


def test_exposures_and_kpis_from_before_the_canary_do_not_count(world: World) -> None:
    version = world.candidate()
    world.evidence(version, 500, agreement=0.1)
    world.evidence("v2", 500, agreement=0.9)
    to_canary(world, version)
    assert world.turn(5).candidate == version
    world.evidence(version, 540, agreement=0.1)
    assert world.turn(5).candidate == version


def test_too_little_traffic_promotes_after_the_wait_where_the_step_says_so(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 3)
    world.time.at += 61
    assert world.turn().stable == version
    record = world.conductor.desk.state.record(version)
    assert record.decided_by == "offline+shadow: timeout promote"


def test_too_little_traffic_holds_where_the_step_says_so(state_dir: StateDir) -> None:
    hold = RolloutStep(share=0.25, min_exposures=50, max_wait_seconds=60, on_timeout="hold")
    world = World(state_dir, (hold,))
    version = world.candidate()
    to_canary(world, version)
    world.time.at += 1000
    assert (world.turn().candidate, world.turn().stable) == (version, "v2")
    assert actions(world).count("rollout.hold") == 1
    world.evidence(version, 50)
    assert world.turn().stable == version


def test_steps_raise_the_share_one_after_the_other(state_dir: StateDir) -> None:
    shares = (0.01, 0.05, 0.25, 1.0)
    world = World(state_dir, tuple(RolloutStep(share=s, min_exposures=10, max_wait_seconds=9999) for s in shares))
    version = world.candidate()
    world.turn(5)
    seen = []
    for n in range(4):
        seen.append(world.turn(1).candidate_share)
        world.evidence(version, 10 * (n + 1))
        world.turn(1)
    assert seen == list(shares)
    assert world.turn().stable == version
    assert [s["exposures"] for s in world.conductor.desk.state.record(version).steps] == [10] * 4


@pytest.mark.parametrize("worse", [{"abnormal": 0.4}, {"agreement": 0.2}, {"latency": 3.0}])
def test_a_harmful_candidate_is_taken_back_and_never_live(world: World, worse: dict[str, float]) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 40, **worse)
    world.evidence("v2", 200)
    document = world.turn()
    assert (document.stable, document.candidate) == ("v2", None)
    assert document.slots["student-b"].desired == "v1"
    assert world.conductor.desk.state.record(version).state == "rolled_back"
    assert RoundStore(world.state).get(1).state == "rolled_back"
    assert "version.breached" in actions(world)


def test_without_figures_a_canary_neither_ends_well_nor_badly(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.kpis = None
    world.time.at += 1000
    assert (world.turn().candidate, world.turn().stable) == (version, "v2")


@pytest.mark.parametrize("wrong", [{"better": -0.1}, {"general": -0.2}, {"finite": False}])
def test_a_candidate_that_fails_its_gate_is_never_loaded(world: World, wrong: dict[str, float]) -> None:
    version = world.candidate(**wrong)
    document = world.turn(5)
    assert (document.stable, document.candidate) == ("v2", None)
    assert version not in {view.desired for view in document.slots.values()}
    assert world.conductor.desk.state.record(version).state == "rejected"
    assert RoundStore(world.state).get(1).state == "rejected"


def test_a_candidate_changed_on_disk_fails_its_gate(world: World) -> None:
    version = world.candidate()
    file = Registry(world.state).path(version) / "tokenizer.json"
    file.write_bytes(file.read_bytes() + b" ")
    world.turn()
    assert RoundStore(world.state).get(1).state == "rejected"
    assert "version.refused" in actions(world)


def test_an_unreadable_evaluation_rejects_the_round(world: World) -> None:
    world.candidate()
    (world.state.rounds / "1" / "evaluate" / "evaluation.json").write_text("{")
    world.turn()
    assert RoundStore(world.state).get(1).state == "rejected"


def test_a_candidate_that_no_slot_can_load_is_bad_for_good(world: World) -> None:
    version = world.candidate()
    world.fleet.refuse[version] = "fingerprint differs by 3.1 nats"
    document = world.turn(6)
    assert (document.stable, document.candidate) == ("v2", None)
    assert document.slots["student-b"].desired == "v1"
    assert "3.1 nats" in world.conductor.desk.state.bad[version]
    assert RoundStore(world.state).get(1).state == "rolled_back"
    with pytest.raises(Conflict, match="marked bad"):
        world.conductor.perform("promote", version, "test")
    assert "version.unloadable" in actions(world)


def test_a_candidate_that_does_not_load_in_time_gives_way(world: World) -> None:
    version = world.candidate()
    world.fleet.slow.add(version)
    assert world.turn(5).candidate_share == 0.0
    world.time.at += world.rollout.load_deadline + 1
    document = world.turn()
    assert (document.candidate, document.slots["student-b"].desired) == (None, "v1")


@pytest.mark.parametrize("ticks", range(1, 6))
def test_a_controller_killed_at_any_tick_ends_at_the_same_place(world: World, ticks: int) -> None:
    version = world.candidate()
    world.evidence(version, 60)
    for _ in range(12):
        world.turn(ticks)
        world.start()
        if world.conductor.desk.state.canary is not None and world.conductor.desk.state.canary.step == 0:
            world.evidence(version, 120)
    document = world.turn(5)
    assert (document.stable, document.previous) == (version, ("v2", "v1"))
    assert RoundStore(world.state).get(1).state == "done"
    assert actions(world).count("version.promoted") == 1


def test_a_controller_killed_between_record_and_marker_writes_the_marker_later(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 60)
    world.conductor._canary.tick()  # the record is written, the round's marker is not
    assert world.conductor.desk.state.stable == version
    assert RoundStore(world.state).get(1).state == "canary"
    world.start()
    assert world.turn().stable == version
    assert RoundStore(world.state).get(1).state == "done"


def test_rollback_to_the_loaded_version_is_one_epoch(world: World) -> None:
    before = world.turn().epoch
    with Moving(world):
        answer = world.conductor.perform("rollback", None, "test")
    assert (answer["from"], answer["to"], answer["epoch"]) == ("v2", "v1", before + 1)
    assert "behind" not in answer
    document = world.turn()
    assert (document.stable, document.previous) == ("v1", ("v2",))
    assert "promotion" in document.frozen
    assert {"rollback.begun", "version.restored", "rollback.done"} <= set(actions(world))


def test_rollback_to_a_version_that_is_not_loaded_loads_it_first(world: World) -> None:
    for _ in range(2):
        version = world.candidate()
        to_canary(world, version)
        world.evidence(version, 60)
        world.turn(5)
    assert world.turn().previous == ("v3", "v2", "v1")
    with Moving(world):
        answer = world.conductor.perform("rollback", "v1", "test")
    assert (answer["from"], answer["to"]) == ("v4", "v1")
    assert world.turn().slot_of("v1", "student") is not None
    assert world.turn().previous == ("v4", "v3", "v2")


def test_rollback_to_a_version_that_cannot_be_loaded_leaves_all_as_it_was(world: World) -> None:
    third = register(world.state, "third")
    world.fleet.refuse[third] = "weights are not finite"
    with Moving(world), pytest.raises(Unavailable, match=f"{third}.*not finite"):
        world.conductor.perform("rollback", third, "test")
    document = world.turn()
    assert (document.stable, document.slots["student-b"].desired) == ("v2", "v1")
    assert world.conductor.desk.state.operation is None


def test_rollback_to_a_version_that_was_changed_is_refused_before_anything_loads(world: World) -> None:
    file = Registry(world.state).path("v1") / "model.safetensors"
    file.write_bytes(b"x" + file.read_bytes()[1:])
    with pytest.raises(IntegrityError, match=r"v1/model\.safetensors"):
        world.conductor.perform("rollback", None, "test")
    assert world.turn().stable == "v2"


def test_rollback_during_a_canary_ends_the_canary(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    with Moving(world):
        answer = world.conductor.perform("rollback", None, "test")
    assert (answer["from"], answer["to"]) == ("v2", "v1")
    assert world.conductor.desk.state.record(version).state == "rolled_back"
    assert RoundStore(world.state).get(1).state == "rolled_back"


def test_two_operations_at_once_conflict(world: World) -> None:
    third = register(world.state, "third")
    world.fleet.slow.add(third)
    errors: list[BaseException] = []

    def promote() -> None:
        try:
            world.conductor.perform("promote", third, "test")
        except Unavailable as error:
            errors.append(error)

    with Moving(world):
        waiting = threading.Thread(target=promote, daemon=True)
        waiting.start()
        time.sleep(0.1)
        with pytest.raises(Conflict, match="under way"):
            world.conductor.perform("rollback", None, "test")
        world.time.at += world.rollout.operation_deadline + 1
        waiting.join(10)
    assert len(errors) == 1
    assert "not loaded within" in str(errors[0])


def test_a_gateway_that_does_not_follow_is_named_after_the_deadline(state_dir: StateDir) -> None:
    world = World(state_dir, operation_deadline=0.3)
    world.turn()
    world.fleet.follows = False
    with Moving(world):
        answer = world.conductor.perform("rollback", None, "test")
    assert answer["behind"] == ["g1"]
    assert world.turn().stable == "v1"


def test_an_operation_goes_on_after_a_crash(world: World) -> None:
    third = register(world.state, "third")
    world.conductor._operations.begin("promote", third, "test")
    world.start()
    assert world.turn(5).stable == third


@pytest.mark.parametrize("target", ["v2", "v9"])
def test_what_cannot_be_rolled_back_to_is_said(world: World, target: str) -> None:
    with pytest.raises((Conflict, NotFound), match=target):
        world.conductor.perform("rollback", target, "test")
    assert world.turn().stable == "v2"


def test_frozen_promotion_keeps_a_gated_candidate_waiting(world: World) -> None:
    world.conductor.change(freeze="promotion", actor="test")
    version = world.candidate()
    assert world.turn(6).candidate is None
    assert RoundStore(world.state).get(1).state == "canary"
    world.conductor.change(resume="promotion", actor="test")
    to_canary(world, version)


def test_a_stable_version_that_no_slot_can_load_gives_way_to_the_former_one(world: World) -> None:
    world.fleet._loaded["student-a"] = None
    world.fleet.refuse["v2"] = "student-a cannot verify it"
    document = world.turn()
    assert document.stable == "v1"
    assert document.slot_of("v1", "student") is not None
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 60)
    assert world.turn().stable == version


def test_a_silent_slot_keeps_its_view_for_its_grace_and_then_loses_it(state_dir: StateDir) -> None:
    world = World(state_dir, slot_grace=0.5)
    world.turn()
    world.time.at += 10
    world.conductor.tick()
    assert world.conductor.document is not None
    assert world.conductor.document.slots["student-a"].serves
    time.sleep(0.6)
    world.conductor.tick()
    assert not world.conductor.document.slots["student-a"].serves


def test_an_experiment_is_in_the_next_document_and_gone_after_it_is_stopped(world: World) -> None:
    experiment = Experiment(id="实验-1".encode().hex(), arms={"teacher": 0.5, "student": 0.5})
    epoch = world.conductor.apply(experiment, "test")
    assert world.turn().experiments == (experiment,)
    assert world.turn().epoch == epoch
    world.start()
    assert world.turn().epoch == epoch
    world.conductor.stop_experiment(experiment.id, "test")
    assert world.turn().experiments == ()


def test_old_versions_are_archived_but_never_the_last_four(state_dir: StateDir) -> None:
    world = World(state_dir, (STEP,), keep_versions=4)
    for number in range(3, 7):
        register(state_dir, f"spare-{number}")
    for _ in range(3):
        version = world.candidate()
        to_canary(world, version)
        world.evidence(version, 60)
        world.turn(5)
    kept = [m.version for m in Registry(state_dir).versions()]
    assert set(kept) >= {"v9", "v8", "v7", "v2"}
    assert "v1" not in kept
    assert (state_dir.registry / "archive" / "v1" / "manifest.json").is_file()


def test_a_candidate_whose_slot_stays_away_is_taken_out_but_a_short_absence_is_not(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.time.at += 30
    world.conductor.tick()
    assert world.turn().candidate == version
    world.time.at += 30
    world.conductor.tick()
    world.time.at += world.rollout.load_deadline + 1
    world.conductor.tick()
    assert world.turn().candidate is None
