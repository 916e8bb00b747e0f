"""The controller's decisions on a fleet that obeys: bootstrap, gate, canary, promotion, rollback, crash, faults."""

from __future__ import annotations

import pytest

from ab.experiment import Experiment
from deploy.audit.log import verify_chain
from deploy.control.steps import FOLLOW
from deploy.life.config import RolloutStep
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from deploy.routing.stores import open_routing
from tests.deploy.fleet import STEP, Time, World, actions, register, to_canary
from understudy.errors import Conflict, NotFound
from understudy.state import StateDir


def test_the_newest_version_is_stable_at_first_and_older_ones_wait_in_the_other_slot(world: World) -> None:
    document = world.turn()
    assert (document.stable, document.previous) == ("v2", ("v1",))
    assert {s: v.version for s, v in document.slots.items() if s != "teacher"} == {"student-a": "v2", "student-b": "v1"}
    assert all(view.serves for slot, view in document.slots.items() if slot != "teacher")


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
    world.fleet.routing = open_routing(world.state, None, clock=world.time)
    assert world.turn().stable == "v2"
    assert world.fleet.gateway_epoch == world.turn().epoch


def test_a_document_that_was_lost_with_its_successor_gets_a_higher_number(world: World) -> None:
    epoch = world.turn().epoch
    (world.state.routing / f"epoch-{epoch + 1}.json").write_text("")
    world.start()
    assert world.turn().epoch == epoch + 2
    world.start()
    assert world.turn().epoch == epoch + 2


def test_a_good_candidate_goes_live_by_exposures_and_the_record_says_so(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    assert world.turn().stable == "v2"
    world.evidence(version, 50)
    world.evidence("v2", 200)
    document = world.turn()
    assert (document.stable, document.candidate, document.previous) == (version, None, ("v2", "v1"))
    record = world.conductor.deployment.state.record(version)
    assert (record.state, record.decided_by) == ("live", "exposures")
    assert record.steps[0]["exposures"] == 50
    done = FileRounds(world.state).get(1)
    assert done.state == "done"
    assert done.stages["canary"].summary["decided_by"] == "exposures"
    assert done.stages["live"].summary["epoch"] == document.epoch
    assert verify_chain(world.state.audit) > 5


def test_exposures_and_kpis_from_before_the_canary_do_not_count(world: World) -> None:
    version = world.candidate()
    world.evidence(version, 500, similarity=0.1)
    world.evidence("v2", 500, similarity=0.9)
    to_canary(world, version)
    assert world.turn(5).candidate == version
    world.evidence(version, 540, similarity=0.1)
    assert world.turn(5).candidate == version


def test_too_little_traffic_promotes_after_the_wait_where_the_step_says_so(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 3)
    world.time.at += 61
    assert world.turn().stable == version
    record = world.conductor.deployment.state.record(version)
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
    assert [s["exposures"] for s in world.conductor.deployment.state.record(version).steps] == [10] * 4


@pytest.mark.parametrize("worse", [{"abnormal": 0.4}, {"similarity": 0.2}, {"latency": 3.0}])
def test_a_harmful_candidate_is_taken_back_and_never_live(world: World, worse: dict[str, float]) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 40, **worse)
    world.evidence("v2", 200)
    document = world.turn()
    assert (document.stable, document.candidate) == ("v2", None)
    assert document.slots["student-b"].desired == "v1"
    assert world.conductor.deployment.state.record(version).state == "rolled_back"
    assert FileRounds(world.state).get(1).state == "rolled_back"
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
    assert world.conductor.deployment.state.record(version).state == "rejected"
    assert FileRounds(world.state).get(1).state == "rejected"


def test_a_candidate_changed_on_disk_fails_its_gate(world: World) -> None:
    version = world.candidate()
    file = Registry(world.state).path(version) / "tokenizer.json"
    file.write_bytes(file.read_bytes() + b" ")
    world.turn()
    assert FileRounds(world.state).get(1).state == "rejected"
    assert "version.refused" in actions(world)


def test_an_unreadable_evaluation_rejects_the_round(world: World) -> None:
    world.candidate()
    (world.state.rounds / "1" / "evaluate" / "evaluation.json").write_text("{")
    world.turn()
    assert FileRounds(world.state).get(1).state == "rejected"


def test_a_candidate_that_no_slot_can_load_is_bad_for_good(world: World) -> None:
    version = world.candidate()
    world.fleet.refuse[version] = "fingerprint differs by 3.1 nats"
    document = world.turn(6)
    assert (document.stable, document.candidate) == ("v2", None)
    assert document.slots["student-b"].desired == "v1"
    assert "3.1 nats" in world.conductor.deployment.state.bad[version]
    assert FileRounds(world.state).get(1).state == "rolled_back"
    with pytest.raises(Conflict, match="marked bad"):
        world.conductor.acts.perform("promote", version, "test")
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
        if world.conductor.deployment.state.canary is not None and world.conductor.deployment.state.canary.step == 0:
            world.evidence(version, 120)
    document = world.turn(5)
    assert (document.stable, document.previous) == (version, ("v2", "v1"))
    assert FileRounds(world.state).get(1).state == "done"
    assert actions(world).count("version.promoted") == 1


def test_a_controller_killed_between_record_and_marker_writes_the_marker_later(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 60)
    world.conductor.canary.tick()  # the record is written, the round's marker is not
    assert world.conductor.deployment.state.stable == version
    assert FileRounds(world.state).get(1).state == "canary"
    world.start()
    assert world.turn().stable == version
    assert FileRounds(world.state).get(1).state == "done"


def test_frozen_promotion_keeps_a_gated_candidate_waiting(world: World) -> None:
    world.conductor.acts.change(freeze="promotion", actor="test")
    version = world.candidate()
    assert world.turn(6).candidate is None
    assert FileRounds(world.state).get(1).state == "canary"
    world.conductor.acts.change(resume="promotion", actor="test")
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
    world, elapsed = World(state_dir, slot_grace=20), Time()
    world.start(elapsed)
    world.turn()
    world.time.at += 10
    world.conductor.tick()
    assert world.conductor.document is not None
    assert world.conductor.document.slots["student-a"].serves
    elapsed.at += 21
    world.conductor.tick()
    assert not world.conductor.document.slots["student-a"].serves


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


def test_an_experiment_is_in_the_next_document_and_gone_after_it_is_stopped(world: World) -> None:
    experiment = Experiment(id="实验-1".encode().hex(), arms={"teacher": 0.5, "student": 0.5})
    epoch = world.conductor.acts.apply(experiment, "test")
    assert world.turn().experiments == (experiment,)
    assert world.turn().epoch == epoch
    world.start()
    assert world.turn().epoch == epoch
    world.conductor.acts.stop_experiment(experiment.id, "test")
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
