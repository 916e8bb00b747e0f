"""From the gate to live on a fleet that obeys: gate, load, steps, promotion, guardrail, and a record of each."""

from __future__ import annotations

import json

import pytest

from ab.guardrails import Guardrail
from deploy.audit.log_file import FileAuditLog
from deploy.control.conductor import Conductor
from deploy.life.config import GateConfig, RolloutStep
from deploy.life.harm import findings
from deploy.life.state import GateRecord
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from feedback.kpis.config import KpisConfig
from tests.deploy.fleet import World, actions, to_canary
from understudy.state import StateDir


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
    assert FileAuditLog(world.state.audit).verify().entries > 5
    entries = {entry["action"]: entry["details"] for entry in FileAuditLog(world.state.audit).entries()}
    assert entries["version.gate_passed"]["gate"].startswith("gate passed: general ")
    promoted = entries["version.promoted"]
    assert promoted["gate"] == entries["version.gate_passed"]["gate"]
    assert promoted["canary"][0]["exposures"] == 50
    assert promoted["canary"][0]["pairs"]


def test_what_users_did_before_the_canary_or_in_another_one_does_not_count(world: World) -> None:
    version = world.candidate()
    for candidate in ("v9", version):
        world.known.count(candidate, "9", "new", 500, {"similarity": 0.9})
        world.known.count(candidate, "9", "old", 5, {})
    to_canary(world, version)
    assert world.turn(5).candidate == version
    world.evidence(version, 49)
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
    for _ in range(4):
        seen.append(world.turn(1).candidate_share)
        world.evidence(version, 10)
        world.turn(1)
    assert seen == [0.01, 0.05, 0.25, 0.95]  # a twentieth is left to compare with
    assert world.turn().stable == version
    assert [s["exposures"] for s in world.conductor.deployment.state.record(version).steps] == [10] * 4


def test_the_record_of_each_step_has_the_pairs_that_there_were_by_its_end(state_dir: StateDir) -> None:
    steps = tuple(RolloutStep(share=s, min_exposures=10, max_wait_seconds=9999) for s in (0.05, 0.25, 1.0))
    world = World(state_dir, steps)
    version = world.candidate()
    world.turn(5)
    for users in (10, 20, 30):
        world.turn(1)
        world.evidence(version, users)
        world.evidence("v2", 2 * users)
        world.turn(1)
    assert world.turn().stable == version
    said = [step["pairs"] for step in world.conductor.deployment.state.record(version).steps]
    assert [(one["exact"]["n"], one["exact"]["n_stable"]) for one in said] == [(20, 40), (60, 120), (120, 240)]
    assert [one["facts"]["n"] for one in said] == [20, 60, 120]
    assert [one["exact"]["candidate"] for one in said] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "worse",
    [
        {kpi: 0.7}
        for kpi in (
            "error_rate",
            "abnormal_termination",
            "degraded",
            "latency_p99",
            "failed_checks",
            "exact",
            "facts",
            "similarity",
        )
    ],
)
def test_a_harmful_candidate_is_taken_back_and_never_live(world: World, worse: dict[str, float]) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 40, **worse)
    world.evidence("v2", 200, similarity=0.1)
    document = world.turn()
    assert (document.stable, document.candidate) == ("v2", None)
    assert document.slots["student-b"].desired == "v1"
    assert world.conductor.deployment.state.record(version).state == "rolled_back"
    assert FileRounds(world.state).get(1).state == "rolled_back"
    assert "version.breached" in actions(world)


def test_without_figures_a_canary_neither_ends_well_nor_badly(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.known.away = True
    world.evidence(version, 50)
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


def test_a_candidate_that_does_not_load_in_time_gives_way(world: World) -> None:
    version = world.candidate()
    world.fleet.slow.add(version)
    assert world.turn(5).candidate_share == 0.0
    world.time.at += world.rollout.load_deadline + 1
    document = world.turn()
    assert (document.candidate, document.slots["student-b"].desired) == (None, "v1")


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


def test_harm_is_seen_while_the_step_waits_and_its_record_says_between_what_bounds(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 40, exact=0.8)
    world.evidence("v2", 200, exact=0.1)
    document = world.turn()
    assert (document.stable, document.candidate) == ("v2", None)
    record = world.conductor.deployment.state.record(version)
    assert (record.state, record.decided_by) == ("rolled_back", "guardrail")
    assert record.history[-1]["why"].startswith("exact 0.200 of 40 users against 0.900 of 200: worse by at least 0.")
    exact = record.steps[-1]["guardrails"]["exact"]
    assert (exact["stable"], exact["candidate"], exact["users"]) == (0.9, 0.2, [200, 40])
    assert 0 < exact["lower"] < exact["worse"] < exact["upper"]
    assert (exact["limit"], exact["verdict"]) == ("max_decrease 0", "harm")
    audited = next(e for e in FileAuditLog(world.state.audit).entries() if e["action"] == "version.breached")
    assert audited["details"]["canary"][-1]["guardrails"]["exact"] == exact
    json.dumps(record.steps, allow_nan=False)


def test_what_is_slow_is_frozen_when_a_step_begins(state_dir: StateDir) -> None:
    steps = tuple(RolloutStep(share=s, min_exposures=10, max_wait_seconds=9999) for s in (0.25, 1.0))
    world = World(state_dir, steps, guardrails=(Guardrail(kpi="latency_p99", max_ratio=1.5),))
    version = world.candidate()
    to_canary(world, version)
    assert world.turn().candidate_slow is None
    world.known.timings = {"external": 2.0}
    assert world.turn().candidate_slow == 3.0
    world.known.timings = {"external": 2.0, "v2": 0.4}
    assert world.turn().candidate_slow == 3.0
    world.evidence(version, 10)
    document = world.turn()
    assert (document.candidate_step, document.candidate_slow) == (1, pytest.approx(0.6))


def test_a_step_that_begins_counts_its_own_users_and_is_judged_on_those_of_all(state_dir: StateDir) -> None:
    steps = tuple(RolloutStep(share=s, min_exposures=50, max_wait_seconds=9999) for s in (0.25, 1.0))
    world = World(state_dir, steps)
    version = world.candidate()
    to_canary(world, version)
    for who, users in ((version, 60), ("v2", 200)):
        world.evidence(who, users, abnormal_termination=0.1)
    assert world.turn().candidate_step == 1
    for who, users in ((version, 49), ("v2", 10)):
        world.evidence(who, users, abnormal_termination=0.1)
    assert world.turn().candidate == version
    found = findings(world.known.trial(version) or {}, world.rollout, KpisConfig())
    assert {one.finding.kpi: one.users for one in found}["abnormal_termination"] == (210, 109)


def test_a_promotion_on_few_pairs_says_what_they_cannot_exclude(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 50)
    world.evidence("v2", 200)
    assert world.turn().stable == version
    record = world.conductor.deployment.state.record(version)
    assert record.caveats[-1].startswith("100 shadow pairs of the canary cannot exclude a loss of 3 points")
    assert record.steps[0]["pairs"]["exact"]["n"] == 100


def test_a_time_out_promotes_only_what_the_gate_saw_enough_of(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.conductor = Conductor(world.conductor.deployment, world.conductor.routing, GateConfig())
    world.time.at += 61
    assert (world.turn().candidate, world.turn().stable) == (version, "v2")
    held = next(e for e in FileAuditLog(world.state.audit).entries() if e["action"] == "rollout.hold")
    assert "its gate saw 30 general rows, fewer than 400" in held["details"]["why"]


def test_a_time_out_promotes_nothing_that_no_gate_is_known_to_have_passed(world: World) -> None:
    """As the state of a former release may say it: gated, and no word of how many rows the gate saw."""
    version = world.candidate()
    to_canary(world, version)
    deployment = world.conductor.deployment
    for gate in (None, GateRecord(passed=False, general=400, hard=100)):
        deployment.change(told={version: {"gate": gate}})
        world.time.at += 61
        assert (world.turn().candidate, world.turn().stable) == (version, "v2")
    held = [e for e in FileAuditLog(world.state.audit).entries() if e["action"] == "rollout.hold"]
    assert "no gate that it passed is on record" in held[0]["details"]["why"]


def test_a_promotion_on_a_time_out_names_the_rows_of_its_gate(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.time.at += 61
    assert world.turn().stable == version
    assert world.conductor.deployment.state.record(version).steps[0]["gate"] == "passed on 30 general rows"
