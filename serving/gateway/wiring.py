"""Builds a gateway from a configuration: static before external engines, or following a running system."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.engines.external import check_keys, static_document
from deploy.routing.document import RouterConfig
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis
from deploy.routing.stores import open_routing
from feedback.flagged.config import FlaggedConfig
from feedback.outbox.apart.handle import OutboxHandle
from feedback.outbox.config import OutboxConfig
from feedback.outbox.leftover import LeftSpools, left_names
from feedback.store.connection import find_redis
from serving.breaker.openings import Openings
from serving.engine.config import EnginesConfig
from serving.gateway.access.ring import NO_RING, KeyRing, RingFollower, read_ring
from serving.gateway.config import GatewayConfig
from serving.gateway.guarding.watch import GuardWatch
from serving.gateway.record.opening import bus_finder, open_outbox
from serving.gateway.routes.embeddings import Embeddings
from serving.gateway.service import Gateway
from serving.gateway.snapshot import Follower, Snapshot
from serving.gateway.tenants.shared import SharedCounts
from serving.guard.config import GuardConfig
from serving.guard.model.linear import LinearModel
from understudy.config import Config
from understudy.errors import ConfigError, IntegrityError
from understudy.state import StateDir
from understudy.telemetry.door import MetricsDoor, metrics_door

log = logging.getLogger("understudy.gateway")


@dataclass(frozen=True, slots=True)
class Parts:
    """A gateway and what runs beside it."""

    gateway: Gateway
    follower: Follower | None
    outbox: OutboxHandle | None
    embeddings: Embeddings | None = None
    keys: RingFollower | None = None
    door: MetricsDoor = field(default_factory=MetricsDoor)


def named(engines: EnginesConfig) -> bool:
    """Whether the configuration names engines that somebody else runs."""
    return engines.teacher is not None or engines.student is not None


def build(config: Config, state: StateDir, state_given: bool, url: str, name: str, ring: KeyRing = NO_RING) -> Parts:
    """Compose the gateway that listens at `url`; `name` is unique among those of a state directory, `ring` its keys.

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
    guard = guard_of(config, state, follows, name)
    outbox = open_outbox(config, state, name, follows)
    embeddings = Embeddings(engines.embeddings, settings) if engines.embeddings else None
    snapshot = Snapshot(static_document(engines.external, router) if static else None)
    shared = shared_counts(settings, config, state if follows else None)
    if not follows:
        gateway = Gateway(settings, snapshot, outbox, ring=ring, shared=shared, guard=guard)
        return _parts(gateway, None, outbox, embeddings, state, ring)
    redis = find_redis(config, state)
    routing = open_routing(state, redis.url, redis.prefix)
    _say(state, static, routing.documents.read() is not None)
    follower = Follower(snapshot, routing, state, url, router.poll_seconds, engines, name)
    gateway = Gateway(settings, snapshot, outbox, follower.refresh, ring=ring, shared=shared, guard=guard)
    return _parts(gateway, follower, outbox, embeddings, state, ring)


def _parts(
    gateway: Gateway, follower: Follower | None, outbox: OutboxHandle | None, embeddings: Embeddings | None,
    state: StateDir, ring: KeyRing,
) -> Parts:  # fmt: skip
    keys = RingFollower(state, ring, gateway.keys.take)
    if follower is not None:
        follower.breakers = gateway.breakers
    return Parts(gateway, follower, outbox, embeddings, keys, metrics_door(state) if follower else MetricsDoor())


def guard_of(config: Config, state: StateDir, follows: bool, name: str) -> GuardWatch:
    """The guard of the gateway `name`; what it does with verdicts a routing document may change.

    Raises:
        ConfigError: the environment variable that is to hold its endpoint's key is not set.
    """
    section = config.section(GuardConfig)
    if section.endpoint is not None:
        section.endpoint.check_key("guard.endpoint")
    openings, kept = openings_of(config, state, follows, name), config.section(FlaggedConfig)
    return GuardWatch(section, LinearModel.load(), openings=openings, kept=kept)


def openings_of(config: Config, state: StateDir, follows: bool, name: str) -> Callable[[], Openings | None]:
    """Finds the stream by which the gateway `name` shares whose breaker opened; None while nobody tells of a Redis."""
    longest = config.section(GuardConfig).breaker.longest_pause_seconds

    def find() -> Openings | None:
        redis = find_redis(config, state if follows else None)
        if not redis.url:
            return None
        return Openings(QuickRedis(redis.url), DeployKeys(redis.prefix).openings, name, longest)

    return find


def shared_counts(settings: GatewayConfig, config: Config, state: StateDir | None) -> SharedCounts | None:
    """Where limits of tenants are counted over all gateways; None where there are no limits."""
    if not settings.tenants:
        return None
    return SharedCounts(lambda: find_redis(config, state).url, find_redis(config, state).prefix)


def known_keys(state: StateDir) -> KeyRing:
    """The keys of clients in a state directory.

    Raises:
        ConfigError: they cannot be read, so that nobody can say who may ask.
    """
    try:
        return read_ring(state)
    except (OSError, IntegrityError) as error:
        raise ConfigError(f"cannot read the keys of clients in {state.clients}: {error}") from None


def _say(state: StateDir, static: bool, known: bool) -> None:
    """One line on who decides where requests go."""
    if known:
        log.info("following the routing document of %s", state.root)
    elif static:
        log.info("%s has no routing document: the engines of the configuration answer until it has", state.root)
    else:
        log.info("no engine is configured, and %s has no routing document yet: waiting for one", state.root)


def left_spools(config: Config, state: StateDir, state_given: bool, name: str) -> LeftSpools:
    """Empties, from a thread, the spools of workers that the gateway `name` has no more."""
    names = left_names(state.spool, name, config.section(GatewayConfig).workers)
    find = bus_finder(config, state, state_given or not named(config.section(EnginesConfig)))
    left = LeftSpools(state.spool, names, find, config.section(OutboxConfig))
    left.start()
    return left
