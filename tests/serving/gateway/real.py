"""Gateways before the engines that start once for all tests."""

from __future__ import annotations

from deploy.routing.document import RoutingDocument, SlotView
from serving.engine.config import EnginesConfig
from serving.gateway.snapshot import Follower, Snapshot
from tests.engines import TEACHER, Engines


def publish(engines: Engines, stable: str) -> None:
    """A document with the slots as their agents report them."""
    beats = engines.routing.beats.slots()
    slots = {
        name: SlotView(desired=beat.version, url=beat.url, model=beat.model, version=beat.version, ready=beat.ready)
        for name, beat in beats.items()
    }
    current = engines.routing.documents.read()
    engines.epoch = (current.epoch if current else 0) + 1
    engines.routing.documents.publish(RoutingDocument(epoch=engines.epoch, slots=slots, teacher=TEACHER, stable=stable))


def follower(engines: Engines, snapshot: Snapshot, url: str) -> Follower:
    """Polls once a minute, so that only a 409 makes it read again."""
    return Follower(snapshot, engines.routing, engines.state, url, 60, EnginesConfig(), "gateway-real")
