"""Builds a gateway from a configuration: static before external engines, or following a running system."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.engines.external import check_keys, static_document
from deploy.routing.document import RouterConfig
from deploy.routing.stores import open_routing
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus, Held, Numbered, Place, Published, Received
from feedback.letters import LIMIT
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.store.connection import find_redis
from serving.engine.config import EnginesConfig
from serving.gateway.completion.capture import assemble
from serving.gateway.config import GatewayConfig
from serving.gateway.routes.embeddings import Embeddings
from serving.gateway.service import Gateway
from serving.gateway.snapshot import Follower, Snapshot
from understudy.config import Config
from understudy.errors import Conflict, Unavailable
from understudy.state import StateDir

log = logging.getLogger("understudy.gateway")


class NoBus:
    """Stands where no bus is configured: feedback waits in the spool until one is."""

    partitions = 1

    def publish(self, topic: str, partition: int, spool: str, batch: Sequence[Numbered]) -> Published:
        """Always away."""
        raise Unavailable("no bus is configured: set redis.url or bus.url")

    def held(self, spool: str, places: Sequence[Place]) -> dict[Place, Held]:
        """Always away."""
        raise Unavailable("no bus is configured: set redis.url or bus.url")

    def skip(self, topic: str, partition: int, spool: str, number: int) -> None:
        """Always away."""
        raise Unavailable("no bus is configured: set redis.url or bus.url")

    def bound(self, topic: str) -> int:
        """Nobody says."""
        return LIMIT

    def read(self, topic: str, partition: int, after: str, limit: int) -> list[Received]:
        """Always away."""
        raise Unavailable("no bus is configured: set redis.url or bus.url")

    def forget(self, topic: str, partition: int, position: str) -> None:
        """Nothing is held."""

    def lag(self, topic: str, partition: int, after: str) -> int:
        """Nothing is held."""
        return 0

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A gateway and what runs beside it."""

    gateway: Gateway
    follower: Follower | None
    outbox: Outbox | None
    embeddings: Embeddings | None = None


def named(engines: EnginesConfig) -> bool:
    """Whether the configuration names engines that somebody else runs."""
    return engines.teacher is not None or engines.student is not None


def build(config: Config, state: StateDir, state_given: bool, url: str, name: str) -> Parts:
    """Compose the gateway that listens at `url`; `name` is unique among those of a state directory.

    Engines of the configuration answer; a state directory that was given, or that alone there is, is followed,
    and its routing document stands in for them as soon as it has one.

    Raises:
        ConfigError: a key or value is wrong; nothing has started then.
    """
    settings = config.section(GatewayConfig)
    engines, router = config.section(EnginesConfig), config.section(RouterConfig)
    check_keys(engines.external)
    static = named(engines)
    follows = state_given or not static
    redis = find_redis(config, state if follows else None)
    bus_url = config.section(BusConfig).url
    has_bus = bool(bus_url or redis.url)
    bus: Bus = open_bus(config.section(BusConfig), redis) if has_bus else NoBus()
    outbox = open_outbox(state, name, bus, config.section(OutboxConfig))
    embeddings = Embeddings(engines.embeddings, settings) if engines.embeddings else None
    snapshot = Snapshot(static_document(engines.external, router) if static else None)
    if not follows:
        return Parts(Gateway(settings, snapshot, outbox, capture=has_bus), None, outbox, embeddings)
    routing = open_routing(state, redis.url, redis.prefix)
    _say(state, static, routing.documents.read() is not None)
    follower = Follower(snapshot, routing, state, url, router.poll_seconds, engines, name)
    gateway = Gateway(settings, snapshot, outbox, follower.refresh, capture=has_bus or not static)
    return Parts(gateway, follower, outbox, embeddings)


def _say(state: StateDir, static: bool, known: bool) -> None:
    """One line on who decides where requests go."""
    if known:
        log.info("following the routing document of %s", state.root)
    elif static:
        log.info("%s has no routing document: the engines of the configuration answer until it has", state.root)
    else:
        log.info("no engine is configured, and %s has no routing document yet: waiting for one", state.root)


def open_outbox(state: StateDir, name: str, bus: Bus, config: OutboxConfig) -> Outbox | None:
    """The outbox, started; None, with the reason in the log, where its spool cannot be opened."""
    try:
        outbox = Outbox(state.spool, name, bus, config, assemble)
    except (OSError, Conflict) as error:
        log.error("nothing is captured, the spool cannot be opened: %s", error)
        return None
    outbox.start()
    return outbox
