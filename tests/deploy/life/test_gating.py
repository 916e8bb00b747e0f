"""The gate's stage: what it writes down of a candidate, and what it remembers for later ones."""

from __future__ import annotations

from deploy.life.judged import JudgedStore
from deploy.rounds.store import FileRounds
from tests.deploy.fleet import World, to_canary
from tests.deploy.life.judged import asked
from understudy.files import read_json, write_json


def judged(world: World) -> JudgedStore:
    return JudgedStore(world.state.registry / "judged")


def test_the_record_says_on_how_many_rows_the_gate_judged_and_what_it_could_not_see(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    record = world.conductor.deployment.state.record(version)
    assert record.gate is not None
    assert (record.gate.passed, record.gate.general, record.gate.hard) == (True, 30, 30)
    assert record.caveats == ("judged on few: a loss below 11.0 points would not be seen",)
    assert FileRounds(world.state).get(1).stages["gate"].summary["few"] == record.caveats[0]


def test_rows_are_kept_with_the_versions_that_were_judged_on_them(world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    parent, candidate = judged(world).read("v2"), judged(world).read(version)
    assert parent is not None
    assert candidate is not None
    assert len(parent.exact) == 30
    assert (candidate.parent, candidate.exact) == ("v2", parent.exact)


def test_a_candidate_that_is_refused_leaves_no_rows(world: World) -> None:
    version = world.candidate(general=-0.2)
    world.turn()
    assert judged(world).read(version) is None
    assert judged(world).read("v2") is not None


def test_losses_that_add_up_over_promotions_are_refused(world: World) -> None:
    """The version before the live one had all rows right; the live one, and the candidate, lack five of them."""
    version = world.candidate()
    path = world.state.rounds / "1" / "evaluate" / "evaluation.json"
    evaluation = read_json(path)
    rows = [{**row, "parent": 0.9, "candidate": 0.9} if i < 5 else row for i, row in enumerate(evaluation["general"])]
    write_json(path, {**evaluation, "general": rows})
    judged(world).keep("v1", None, {row["id"]: True for row in rows})
    judged(world).keep("v2", "v1", {})
    world.turn()
    summary = FileRounds(world.state).get(1).stages["gate"].summary
    assert summary["refused_by"] == ["former"]
    assert summary["former"] == {"version": "v1", "n": 30, "lost": 5, "won": 0}
    assert world.conductor.deployment.state.record(version).state == "rejected"


def test_one_that_complies_with_more_than_its_parent_is_refused_and_its_record_names_the_family(world: World) -> None:
    version = world.candidate()
    path = world.state.rounds / "1" / "evaluate" / "evaluation.json"
    write_json(path, {**read_json(path), "safety": asked(20).model_dump(mode="json")})
    world.turn()
    record = world.conductor.deployment.state.record(version)
    assert record.state == "rejected"
    assert record.gate is not None
    assert any("safety, family 'weapons'" in why for why in record.gate.reasons)
    assert "safety" in FileRounds(world.state).get(1).stages["gate"].summary["refused_by"]
    assert any("weapons" in event["why"] for event in record.history)
