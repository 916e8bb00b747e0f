"""The follower outlives whatever reading the routing document brings."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.routing.document import BreakerBeat, RoutingDocument
from deploy.routing.stores import open_routing
from feedback.store.server import RedisServer
from serving.engine.config import EnginesConfig
from serving.gateway.snapshot import Follower, Snapshot
from tests.serving.gateway.conftest import Running, document, following
from tests.serving.gateway.upstream import Engine
from tests.waiting import eventually, eventually_async
from understudy.state import StateDir


class Store:
    """Fails once in a way that nobody foresaw, then has a document."""

    def __init__(self, error: Exception) -> None:
        self.errors = [error]
        self.beats: list[int] = []

    def read(self) -> RoutingDocument:
        if self.errors:
            raise self.errors.pop()
        return RoutingDocument(epoch=7)

    def report_gateway(self, name: str, epoch: int, url: str, breaker: BreakerBeat) -> None:
        self.beats.append(epoch)

    def forget_gateway(self, name: str) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize("error", [ValueError("no such thing"), OSError("disk"), KeyError("epoch")])
async def test_an_unforeseen_error_does_not_end_following(error: Exception) -> None:
    store = Store(error)
    routing: Any = SimpleNamespace(documents=store, beats=store)
    snapshot = Snapshot()
    follower = Follower(snapshot, routing, None, "http://127.0.0.1:1", 0.01, EnginesConfig(), "g1")
    following = asyncio.create_task(follower.run())
    await eventually_async(lambda: store.beats, what="a beat")
    assert (snapshot.document.epoch, store.errors) == (7, [])
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    await follower.stop()


Serve = Callable[..., Running]


Make = Callable[..., Engine]


def test_the_gateway_follows_reports_its_epoch_and_never_goes_back(
    serve: Serve, engine: Make, redis_url: str, state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.routing.beats_redis.EXPIRY", 600)  # what is gone was forgotten
    teacher = engine("teacher")
    state_dir.run.mkdir(parents=True)
    state_dir.engine_key.write_text("key-1\n", "utf-8")
    routing = open_routing(None, redis_url)
    running = serve(follow=following(open_routing(None, redis_url), state_dir))
    assert running.client.chat()[0] == 503
    routing.documents.publish(document({"teacher": teacher}, epoch=5))
    eventually(lambda: [beat.epoch for beat in routing.beats.gateways()] == [5])
    assert running.client.chat()[0] == 200
    assert teacher.seen[0].headers["authorization"] == "Bearer key-1"
    assert not running.snapshot.offer(document({}, epoch=4))
    assert running.snapshot.document.epoch == 5
    running.stop()
    eventually(lambda: routing.beats.gateways() == [])


def test_serving_goes_on_while_redis_is_gone(serve: Serve, engine: Make, own_redis: RedisServer) -> None:
    teacher = engine("teacher")
    routing = open_routing(None, own_redis.url)
    routing.documents.publish(document({"teacher": teacher}, epoch=1))
    running = serve(follow=following(open_routing(None, own_redis.url)))
    eventually(lambda: running.snapshot.document.epoch == 1)
    own_redis.stop()
    for _ in range(20):
        assert running.client.chat()[0] == 200
        time.sleep(0.02)
    own_redis.start()
    open_routing(None, own_redis.url).documents.publish(document({"teacher": teacher}, epoch=2))
    eventually(lambda: running.snapshot.document.epoch == 2)
