"""Dead letters over the routes: listed, shown, put back once."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus, Numbered
from feedback.events import KPIS
from feedback.letters import letters
from feedback.store.config import RedisConfig
from feedback.store.connection import connect
from serving.control.dead import Dead
from tests.deploy.fleet import World
from understudy.errors import NotFound


@pytest.fixture
def bus(redis_url: str) -> Iterator[Bus]:
    made = open_bus(BusConfig(url=redis_url), RedisConfig())
    yield made
    made.close()


def post(bus: Bus, number: int, content: bytes) -> None:
    messages = letters(KPIS, "会话", content, "Redis refused it\nall of it", spool="gateway", number=number)
    batch = [Numbered(n, "会话", message) for n, message in enumerate(messages, 1)]
    bus.publish(f"{KPIS}.dlt", 0, f"spool of {number}", batch)


def test_letters_are_listed_shown_and_put_back_and_it_is_audited(admin: TestClient, bus: Bus, world: World) -> None:
    post(bus, 1, "你好".encode())
    post(bus, 2, b"\xff")
    listed = admin.get("/dead", params={"topic": "kpis"}).json()
    assert listed["topic"] == KPIS
    assert [(row["session"], row["state"], row["parts"]) for row in listed["letters"]] == [("会话", "waiting", 1)] * 2
    first, second = (row["id"] for row in listed["letters"])
    shown = admin.get(f"/dead/{first[:10]}", params={"topic": KPIS}).json()
    assert (shown["text"], shown["number"], shown["spool"]) == ("你好", 1, "gateway")
    odd = admin.get(f"/dead/{second}", params={"topic": KPIS}).json()
    assert odd["text"] is None
    assert base64.b64decode(odd["base64"]) == b"\xff"
    assert admin.post("/dead/replay", json={"topic": "kpis", "ids": [second[:8]]}).json()["replayed"] == [second]
    rest = admin.post("/dead/replay", json={"topic": "kpis"}).json()
    assert (rest["replayed"], rest["before"], rest["failed"]) == ([first], [second], {})
    assert sum(bus.lag(KPIS, part, "") for part in range(bus.partitions)) == 2
    told = [e["details"] for e in world.conductor.deployment.audit.entries(0) if e["action"] == "dead.replay"]
    assert [one["topic"] for one in told] == ["kpis", "kpis"]


def test_unknown_topics_and_letters_are_refused_by_name(admin: TestClient) -> None:
    answer = admin.get("/dead", params={"topic": "orders"})
    assert answer.status_code == 404
    assert "understudy.kpis" in answer.json()["error"]["message"]
    assert admin.get("/dead/abc", params={"topic": "kpis"}).status_code == 404


def test_the_bus_is_closed_after_each_answer(redis_url: str) -> None:
    closed = []

    def opened() -> Bus:
        made = open_bus(BusConfig(url=redis_url), RedisConfig())
        close = made.close
        made.close = lambda: closed.append(close())  # type: ignore[method-assign]
        return made

    dead = Dead(opened, connect(redis_url), "us:")
    dead.listed("kpis")
    with pytest.raises(NotFound, match="no letter begins"):
        dead.show("kpis", "x")
    assert len(closed) == 2
