"""One round with all that its folder says of it, at every stage."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from deploy.rounds.leading import ClusterLeader, stored
from deploy.rounds.lost import LOST, LostReply, write_lost
from deploy.rounds.record import Round
from deploy.rounds.store import FileRounds
from feedback.privacy.vault import FOLDER, Vault
from serving.control.replies.rounds import RoundReport
from serving.control.rounds import round_row
from tests.deploy.fleet import World, to_canary
from understudy.files import write_json


def test_a_judged_round_tells_slices_clusters_and_what_was_lost(admin: TestClient, world: World) -> None:
    version = world.candidate()
    rounds = FileRounds(world.state)
    one = LostReply(
        id="g1", slice="general", kind="c1", asked="几点?", teacher="5 点", candidate="6 点", exact=True, facts=True
    )
    write_lost(rounds.file(1, "evaluate", LOST), [one])
    led = stored(ClusterLeader(id="c1", prompt="when " * 40), Vault(world.state.spool / FOLDER))
    write_json(
        rounds.file(1, "select", "clusters.json"), {"clusters": [{"cluster": "c1", "train_hard_fresh": 3, "led": led}]}
    )
    write_json(rounds.file(1, "select", "summary.json"), {"drawn": {"train": {"hard_fresh": 3}}})
    tokens = {"computed": {"n": 9, "parent": 0.5, "candidate": 0.75}}
    write_json(rounds.file(1, "evaluate", "summary.json"), {"general": {"tokens": tokens}})
    told = admin.get("/rounds/1").json()
    report = RoundReport.model_validate(told)
    assert report.model_dump(mode="json", by_alias=True) == told
    assert (report.candidate, report.drawn, report.clusters[0]["cluster"]) == (
        version, {"drawn": {"train": {"hard_fresh": 3}}}, "c1",
    )  # fmt: skip
    assert report.clusters[0]["prompt"] == ("when " * 40)[:80]
    assert report.slices["hard"].agreement.difference.value == pytest.approx(0.31)
    assert report.slices["general"].tokens["computed"].candidate == 0.75
    assert (report.lost[0].candidate, report.lost[0].facts) == ("6 点", True)


def test_a_round_under_way_has_what_there_is_and_says_when_it_ends(admin: TestClient, world: World) -> None:
    rounds = FileRounds(world.state, world.time)
    rounds.begin("v2", "t1", "漂移", budget=90.0)
    report = RoundReport.model_validate(admin.get("/rounds/1").json())
    assert (report.slices, report.lost, report.clusters, report.drawn) == ({}, [], [], {})
    rounds.finish(1, "select", {})
    world.time.at += 30
    steps = sum(step.max_wait_seconds for step in world.rollout.steps)
    assert admin.get("/rounds/1").json()["ends_in"] == pytest.approx(90 - 30 + steps)
    assert admin.get("/status").json()["round"]["ends_in"] == pytest.approx(90 - 30 + steps)
    rounds.fail(1, {"error": "gone"})
    ended = admin.get("/rounds/1").json()
    assert (ended["ends_in"], ended["ended"]) == (None, "gone")


def test_what_cannot_be_read_is_left_out(admin: TestClient, world: World) -> None:
    to_canary(world, world.candidate())
    rounds = FileRounds(world.state)
    for stage, name in (("select", "clusters.json"), ("evaluate", "evaluation.json"), ("evaluate", LOST)):
        for damage in ("{", "[]", json.dumps({"clusters": 3, "rows": 4})):
            path = rounds.file(1, stage, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(damage)
            answer = admin.get("/rounds/1")
            assert answer.status_code == 200, (name, damage)
    assert (answer.json()["slices"], answer.json()["clusters"], answer.json()["lost"]) == ({}, [], [])


def test_there_is_no_round_of_another_number(admin: TestClient) -> None:
    assert admin.get("/rounds/7").status_code == 404
    for number in ("0", "x", str(1 << 40)):
        assert admin.get(f"/rounds/{number}").status_code in (400, 404, 422)


def test_a_round_that_went_live_says_so_and_when() -> None:
    gone = Round(id=3, state="done", parent="v1", teacher="t1", candidate="v4", why="", started=10.0, since=25.5)
    assert (round_row(gone).ended, round_row(gone).ended_at) == ("v4 went live", 25.5)
    going = replace(gone, state="canary")
    assert (round_row(going).ended, round_row(going).ended_at) == (None, None)
