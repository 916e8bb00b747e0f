"""The control plane's routes over a conductor in this process: what an act answers, and when it is refused."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from serving.control import printing
from serving.control.replies.rounds import RoundAbortedReply
from serving.control.replies.versions import FrozenReply
from serving.control.sources import Sources
from tests.deploy.fleet import Moving, World, to_canary
from tests.waiting import eventually


def test_without_an_audit_log_a_freeze_takes_place_with_a_warning_and_the_rest_is_refused(
    admin: TestClient, world: World, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(sources, "request_round", done.append)
    monkeypatch.setattr(sources, "purge", done.append)
    world.state.audit.rename(world.state.audit.with_name("away"))
    world.state.audit.mkdir()
    assert admin.post("/rounds").status_code == 503
    assert admin.delete("/pool", params={"tenant": "acme"}).status_code == 503
    assert done == []
    answer = admin.post("/freeze", json={"what": "student"}).json()
    assert answer["frozen"] == ["student"]
    assert "audit" in answer["warning"]
    assert answer["warning"] in printing.frozen(FrozenReply.model_validate(answer))


def test_a_candidate_that_a_promotion_takes_back_is_named_with_why_its_round_ended(
    admin: TestClient, world: World
) -> None:
    candidate = world.candidate()
    to_canary(world, candidate)
    with Moving(world):
        answer = admin.post("/promote", json={"version": "v1"}).json()
        assert answer["taken_back"] == {"version": candidate, "round": 1}
        eventually(lambda: admin.get("/rounds").json()["rounds"][0]["ended"] == "promote to v1 by operator")
        assert "taken_back" not in admin.post("/promote", json={"version": "v2"}).json()


def test_a_round_is_aborted_by_number_or_as_the_one_under_way(admin: TestClient, world: World) -> None:
    assert admin.post("/rounds/abort").status_code == 404
    candidate = world.candidate()
    to_canary(world, candidate)
    assert admin.post("/rounds/abort", json={"round": 7}).status_code == 404
    answer = admin.post("/rounds/abort", json={"round": 1}).json()
    assert (answer["round"], answer["stage"], answer["candidate"]) == (1, "canary", candidate)
    assert (
        printing.aborted(RoundAbortedReply.model_validate(answer))
        == f"round 1 ended at canary: aborted by operator; candidate {candidate} was taken back"
    )
    assert admin.get("/rounds").json()["rounds"][0]["ended"] == "aborted by operator"
    assert admin.post("/rounds/abort", json={"round": 1}).status_code == 409
