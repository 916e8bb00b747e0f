"""Breakers at the control plane: shown as the gateways report them, closed by hand."""

from __future__ import annotations

from fastapi.testclient import TestClient

from deploy.routing.document import BreakerBeat, GatewayBeat
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis
from feedback.store.config import RedisConfig
from serving.breaker.openings import Opening, Openings
from serving.breaker.users import user_name
from serving.control.printing import breakers
from serving.control.replies.breaker import MOST_NAMED, BreakerStatus, breaker_status
from serving.control.sources import Sources
from tests.deploy.fleet import World
from tests.serving.control.conftest import client
from understudy.config import Config
from understudy.state import StateDir

NAME = "0123456789abcdef0123"


def test_status_shows_what_the_gateways_report(admin: TestClient, world: World) -> None:
    beat = BreakerBeat(open=1, half_open=2, users=(NAME,), engines={"127.0.0.1:9/v1": "open"})
    world.fleet.routing.beats.report_gateway("g2", 1, "http://127.0.0.1:3", beat)
    found = admin.get("/status").json()["breaker"]
    assert (found["open"], found["half_open"], found["users"]) == (1, 2, [NAME])
    assert found["engines"] == {"127.0.0.1:9/v1": "open"}
    assert found["gateways"]["g2"]["open"] == 1
    assert found["gateways"]["g1"]["open"] == 0


def test_gateways_that_share_openings_are_not_added_up_and_names_are_bounded() -> None:
    names = tuple(f"{number:020x}" for number in range(15))
    more = tuple(f"{number:020x}" for number in range(10, 25))
    beats = [
        GatewayBeat(id=name, epoch=1, at=0.0, breaker=BreakerBeat(open=40, users=users, engines=engines))
        for name, users, engines in (
            ("g1", names, {"a": "open", "b": "half_open"}), ("g2", more, {"a": "half_open", "b": "open"}),
        )
    ]  # fmt: skip
    found = breaker_status(beats)
    assert (found.open, len(found.users), found.engines) == (40, MOST_NAMED, {"a": "open", "b": "open"})
    assert breaker_status([]) == BreakerStatus()


def test_it_is_said_in_words_where_there_is_something_to_say() -> None:
    assert breakers(BreakerStatus()) == []
    said = "\n".join(breakers(BreakerStatus(open=1, users=[NAME], engines={"127.0.0.1:9/v1": "half_open"})))
    assert NAME in said
    assert "127.0.0.1:9/v1" in said


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
