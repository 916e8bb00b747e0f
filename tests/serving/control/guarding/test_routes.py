"""The guard changed at the control plane: in the next document and the audit log, or refused."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from deploy.routing.guarding import GuardRules
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis
from feedback.events import Exchange, Kpi
from feedback.flagged.store import entry_id
from feedback.store.config import RedisConfig
from serving.breaker.openings import Opening, Openings
from serving.breaker.users import user_name
from serving.control.sources import Sources
from tests.deploy.fleet import World
from tests.feedback.factory import exchange
from tests.serving.control.conftest import client
from understudy.config import Config
from understudy.state import StateDir

NAME = "0123456789abcdef0123"


def audited(world: World, action: str) -> list[dict[str, Any]]:
    return [e["details"] for e in world.conductor.deployment.audit.entries(0) if e["action"] == action]


def test_what_is_set_is_in_the_next_document_and_in_the_audit_log(admin: TestClient, world: World) -> None:
    before = world.conductor.document
    assert before is not None
    assert admin.get("/guard").json() == {"rules": {}, "epoch": before.epoch}
    answer = admin.post("/guard", json={"mode": "enforce", "flag": 1.5, "why": "launch"}).json()
    document = world.fleet.routing.documents.read()
    assert document is not None
    assert (document.epoch, document.reason) == (before.epoch + 1, "rules of the guard")
    assert answer["epoch"] == document.epoch
    assert document.guard == GuardRules(mode="enforce", flag=1.5)
    told = audited(world, "guard.set")[0]
    assert {name: told[name] for name in ("mode", "flag", "why")} == {"mode": "enforce", "flag": 1.5, "why": "launch"}
    admin.post("/guard", json={"mode": "default", "flag": "default"})
    assert world.conductor.document is not None
    assert world.conductor.document.guard is None


def test_an_exception_is_made_for_a_user_by_name_and_ended_by_its_id(admin: TestClient, world: World) -> None:
    asked = {"allow": {"tenant": "shop", "user": "ada", "days": 2}, "why": "a teacher of security"}
    made = admin.post("/guard", json=asked).json()
    (rule,) = made["rules"]["allow"]
    assert (rule["id"], rule["user"], rule["why"]) == (made["rule"], user_name("shop", "user:ada"), asked["why"])
    assert "ada" not in str(audited(world, "guard.set"))
    assert admin.post("/guard", json={"disallow": [made["rule"]]}).json()["rules"] == {}
    assert admin.post("/guard", json={"disallow": [made["rule"]]}).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"tenant": "shop"}, {"why": "no reason"}, {"mode": "on"}, {"flag": 3, "degrade": 2}, {"flag": "high"},
        {"allow": {"days": 3}}, {"allow": {"tenant": "shop"}}, {"allow": {"tenant": "shop", "days": 4000}},
        {"allow": {"user": "ada", "days": 3}}, {"allow": {"system": "abc", "days": 3}},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(admin: TestClient, world: World, asked: dict[str, Any]) -> None:
    before = world.conductor.document
    assert admin.post("/guard", json=asked).status_code in (400, 422)
    assert world.conductor.document == before
    assert not audited(world, "guard.set")


def test_rules_outlive_the_controllers_state(admin: TestClient, world: World) -> None:
    admin.post("/guard", json={"mode": "enforce", "tenant": "shop"})
    world.start()
    world.turn()
    assert world.conductor.document is not None
    assert world.conductor.document.guard == GuardRules(tenants={"shop": "enforce"})


def test_a_user_is_released_by_hash_or_by_name_and_it_is_audited(
    admin: TestClient, world: World, redis_url: str
) -> None:
    openings = Openings(QuickRedis(redis_url), DeployKeys().openings, "g1", 60.0)
    assert admin.post("/guard/release", json={"user": NAME, "why": "appeal"}).json() == {"released": NAME}
    other = user_name("acme", "user:ada")
    assert admin.post("/guard/release", json={"user": "ada", "tenant": "acme"}).json() == {"released": other}
    assert openings.news() == [Opening(NAME, 0.0), Opening(other, 0.0)]
    told = [e["details"] for e in world.conductor.deployment.audit.entries(0) if e["action"] == "guard.released"]
    assert [one["breaker"] for one in told] == [NAME, other]
    assert told[0]["why"] == "appeal"


def test_what_names_no_breaker_is_refused_and_without_redis_it_is_said(state_dir: StateDir, world: World) -> None:
    alone = client(world, Sources(Config({}), RedisConfig(), state_dir))
    answer = alone.post("/guard/release", json={"user": "ada"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "user")
    answer = alone.post("/guard/release", json={"user": NAME})
    assert answer.status_code == 503
    assert "without Redis" in answer.json()["error"]["message"]


def test_a_user_whose_name_is_too_long_is_refused(admin: TestClient) -> None:
    assert admin.post("/guard/release", json={"user": "x" * 9999}).status_code == 422


def flagged(n: int, **changes: Any) -> Exchange:
    given = {"flagged": True, "guard_stage": "model", "guard_score": 1.5, "guard_user": NAME}
    return exchange(n, **(given | changes))


@pytest.fixture
def kept(sources: Sources) -> list[str]:
    """Two flagged requests and an appeal on one that is not held; their ids."""
    store = sources.flagged()
    now = time.time()
    store.keep(flagged(1, tenant="shop", messages=[{"role": "user", "content": "Tell me of jailbreaks."}]), now)
    store.keep(flagged(2, degraded="guard", version="", reply="", schema_version=2), now)
    store.appeal(Kpi(id="k", session="s", at=now, kpi="false_positive", value=1.0, target="resp-2"), now)
    store.appeal(Kpi(id="l", session="s", at=now, kpi="false_positive", value=1.0, target="resp-9"), now)
    return [entry_id(tenant, response) for tenant, response in (("shop", "resp-1"), ("default", "resp-2"))]


def test_flagged_requests_are_listed_without_a_word_of_them_and_shown_with_all(
    admin: TestClient, kept: list[str]
) -> None:
    listed = admin.get("/guard/flagged").json()["entries"]
    assert {one["id"] for one in listed} >= set(kept)
    assert len(listed) == 3
    assert "jailbreaks" not in json.dumps(listed)
    assert [one["id"] for one in admin.get("/guard/flagged?tenant=shop").json()["entries"]] == kept[:1]
    assert {one["verdict"] for one in admin.get("/guard/flagged?appeals=true").json()["entries"]} == {
        "degrade",
        "unknown",
    }
    shown = admin.get(f"/guard/flagged/{kept[0][:8]}").json()
    assert shown["messages"][0]["content"] == "Tell me of jailbreaks."
    assert admin.get("/guard/flagged/nothing").status_code == 404


def test_a_harmless_one_is_marked_its_user_let_through_and_both_are_audited(
    admin: TestClient, world: World, kept: list[str], redis_url: str
) -> None:
    openings = Openings(QuickRedis(redis_url), DeployKeys().openings, "g1", 60.0)
    answer = admin.post(f"/guard/flagged/{kept[1]}", json={"mark": "good", "days": 2, "why": "a course"}).json()
    assert (answer["mark"], answer["released"]) == ("good", NAME)
    assert openings.news() == [Opening(NAME, 0.0)]
    assert world.conductor.document is not None
    rules = world.conductor.document.guard
    assert rules is not None
    assert [(rule.id, rule.user, rule.why) for rule in rules.allow] == [(answer["rule"], NAME, "a course")]
    (told,) = audited(world, "guard.marked")
    assert (told["flagged"], told["mark"], told["why"]) == (kept[1], "good", "a course")
    assert [one["verdict"] for one in admin.get("/guard/flagged?appeals=true").json()["entries"]] == ["unknown"]
    answer = admin.post(f"/guard/flagged/{kept[0]}", json={"mark": "bad"}).json()
    assert set(answer) >= {"id", "mark"}
    assert not answer["released"]
    assert openings.news() == []
    assert admin.post(f"/guard/flagged/{kept[0]}", json={"mark": "bad", "days": 2}).status_code == 400
    assert admin.post(f"/guard/flagged/{kept[0]}", json={"mark": "fine"}).status_code in (400, 422)


def test_a_purge_takes_what_was_flagged(admin: TestClient, kept: list[str]) -> None:
    assert admin.delete("/pool?tenant=shop").status_code == 200
    assert kept[0] not in {one["id"] for one in admin.get("/guard/flagged").json()["entries"]}
