"""A bus that somebody tells of later."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus, Numbered
from feedback.store.config import RedisConfig
from serving.gateway.record.bus import LOOK, LateBus
from serving.gateway.wiring import build
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import Engine
from tests.waiting import eventually
from understudy.config import Config
from understudy.errors import Unavailable
from understudy.files import write_json
from understudy.state import StateDir

Serve = Callable[..., Running]
Make = Callable[..., Engine]
FEEDBACK = json.dumps({"session_id": "s", "kpi": "rating", "value": 7}).encode()
ENGINES = {"teacher": {"url": "http://127.0.0.1:9/v1", "model": "m"}}


def test_it_is_away_until_it_is_found_and_looked_for_once_a_second(redis_url: str) -> None:
    now, looks, there = 100.0, 0, False

    def find() -> Bus | None:
        nonlocal looks
        looks += 1
        return open_bus(BusConfig(), RedisConfig(url=redis_url)) if there else None

    bus = LateBus(find, 2, lambda: now)
    for _ in range(3):
        bus.look()
    assert (looks, bus.known) == (1, False)
    with pytest.raises(Unavailable, match="no bus is known yet"):
        bus.publish("t", 0, "spool", [Numbered(1, "k", b"{}")])
    there, now = True, now + LOOK
    bus.look()
    assert bus.known
    assert bus.publish("t", 0, "spool", [Numbered(1, "k", b"{}")]).highest == 1
    assert [received.value for received in bus.read("t", 0, "", 10)] == [b"{}"]
    bus.close()


@pytest.mark.parametrize("follow", [False, True])
def test_a_gateway_without_a_bus_takes_no_feedback_and_says_so_at_its_start(
    follow: bool, state_dir: StateDir, caplog: pytest.LogCaptureFixture
) -> None:
    parts = build(Config({"engines": ENGINES}), state_dir, follow, "http://127.0.0.1:1", "g")
    assert not parts.gateway.capture
    assert "feedback is refused" in caplog.text
    if parts.outbox is not None:
        parts.outbox.close(1)


def test_feedback_is_refused_until_the_state_directory_tells_of_a_redis(
    serve: Serve, engine: Make, state_dir: StateDir, redis_url: str, loop: asyncio.AbstractEventLoop
) -> None:
    running = serve(document({"teacher": engine("teacher")}))
    parts = build(Config({"engines": ENGINES}), state_dir, True, "http://127.0.0.1:1", "g")
    assert parts.outbox is not None
    running.gateway.outbox = parts.outbox
    task = asyncio.run_coroutine_threadsafe(parts.outbox.run(), loop)
    eventually(lambda: parts.outbox.pid)
    status, headers, raw = running.client.send("POST", "/v1/feedback", FEEDBACK)
    assert (status, headers["retry-after"]) == (503, "1")
    assert json.loads(raw)["error"]["code"] == "no_bus"
    running.client.chat()
    assert parts.outbox.stats()["queued"] == parts.outbox.stats()["stored"] == 0
    write_json(state_dir.addresses, {"redis": redis_url})
    eventually(lambda: parts.outbox.bus_known)
    assert running.client.send("POST", "/v1/feedback", FEEDBACK)[0] == 202
    running.client.chat()
    eventually(lambda: parts.outbox.stats()["published"] == 2)
    task.cancel()
    running.stop()
    parts.outbox.close(1)
