"""The follower outlives whatever reading the routing document brings."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.routing.document import RoutingDocument
from serving.engine.config import EnginesConfig
from serving.gateway.snapshot import Follower, Snapshot
from tests.waiting import eventually_async


class Store:
    """Fails once in a way that nobody foresaw, then has a document."""

    def __init__(self, error: Exception) -> None:
        self.errors = [error]
        self.beats: list[int] = []

    def read(self) -> RoutingDocument:
        if self.errors:
            raise self.errors.pop()
        return RoutingDocument(epoch=7)

    def report_gateway(self, name: str, epoch: int, url: str) -> None:
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
