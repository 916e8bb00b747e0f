"""Consumption: partitions owned by fenced lease, effects and numbers stored in one call.

A worker takes the leases it can get, reads each partition on from the position stored with its
effects, and applies. The call that applies checks the lease itself, so an owner that was paused
past its lease changes nothing when it wakes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from feedback.bus.protocol import Bus, Place, Received
from feedback.consume.meter import Meter
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import settings
from feedback.rows.calling import RowScript
from feedback.rows.files import RowFiles
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import ROWS, source
from understudy.errors import Unavailable, UnderstudyError
from understudy.ids import random_id

log = logging.getLogger(__name__)

LEASE_SECONDS = 3.0
BATCH = 64
MOVED = -3
"""What effects.lua answers where the batch does not begin at the stored position."""
LOOK_SECONDS = 30.0
"""How often it is looked for partitions beyond the configured ones."""
Effects = Callable[[str, Received], list[list[Any]]]
"""Verbs of `store/lua/` (or Redis commands) of one event of a topic; may raise Unavailable and Waits alone."""
Bury = Callable[[str, Received, str], list[list[Any]]]
"""Keeps an event whose effects Redis cannot apply (topic, event, why); the effects to store in their stead."""


class Waits(UnderstudyError):
    """An event that a newer program will read: its partition waits for one, and no other does."""


ALIVE = """
local time = redis.call('TIME')
local now, keep = time[1] + time[2] / 1e6, tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - keep)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + keep, '+inf')
return redis.call('ZCARD', KEYS[1])
"""
"""Workers seen lately. Redis tells the time: no worker's clock takes another off the list, nor keeps one on it."""
RENEW = """
if redis.call('PTTL', KEYS[1]) > 2 * ARGV[2] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
"""
"""A lease longer than any that is given was given before Redis' clock was set back: it ends as any other."""

KEEP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
"""Unlike `RENEW` it takes no lease that ran out: somebody may have had it since, and read on from another position."""


class Consumer:
    """One worker's share of the partitions of `topics`. Used by one thread; blocks for short times.

    `told`: what the verbs must know, see `feedback.kpis.effects.settings`; empty: by the defaults. `files`: where
    spilled rows of users lie.
    """

    def __init__(
        self, bus: Bus, client: Client, keys: RedisKeys, topics: Sequence[str], effects: Effects, bury: Bury,
        told: str = "", files: RowFiles | None = None,
    ) -> None:  # fmt: skip
        self._bus = bus
        self._redis = client
        self._keys = keys
        self._id = random_id()
        self._effects = effects
        self._bury = bury
        self._settings = told or settings(keys, KpisConfig())
        self._topics = tuple(topics)
        self._places: list[Place] = []
        self._looked: float | None = None
        self._owned: dict[tuple[str, int], str] = {}
        self._renewed = self._kept = 0.0
        self._measured = 0.0
        self._apply = RowScript(client, (*ROWS, "targets", "effects"), files)
        self._waiting: set[Place] = set()
        self.meter = Meter()
        self._alive = client.register_script(ALIVE)
        self._renew = client.register_script(RENEW)
        self._keep = client.register_script(KEEP)
        self._release = client.register_script(source("release"))

    @property
    def owned(self) -> list[tuple[str, int]]:
        """Partitions whose lease this worker holds, as far as it knows."""
        return list(self._owned)

    def step(self) -> int:
        """Renew leases when due, and consume up to one batch of each partition; returns events applied.

        Raises:
            Unavailable: bus or Redis is away; nothing is lost, call again later.
            UnderstudyError: what Redis holds is not what this program stored there.
        """
        self._lease()
        places = list(self._owned)
        # Always as stored: a Redis that forgot its last moments in a crash forgot them together with the effects.
        positions = self._positions(places)
        applied = 0
        for place, after in zip(places, positions, strict=True):
            self._keep_leases()
            done = self._consume(*place, after) if place in self._owned else 0
            self.meter.applied(*place, done)
            applied += done
        self._measure()
        return applied

    def release(self) -> None:
        """Give the partitions back, so that another worker need not wait for the leases to end."""
        with redis_errors():
            for place, owner in self._owned.items():
                self._release([self._keys.lease(*place)], [owner])
            self._redis.zrem(self._keys.workers, self._id)
        self._owned.clear()

    def _look(self, now: float) -> None:
        """Which partitions there are: with fewer than before, those beyond hold events until they are read."""
        if self._looked is None or now - self._looked > LOOK_SECONDS:
            self._places = [(topic, part) for topic in self._topics for part in range(self._bus.width(topic))]
            self._looked = now

    def _lease(self) -> None:
        now = time.monotonic()
        if now - self._renewed < LEASE_SECONDS / 3:
            return
        self._look(now)
        fair = self._fair_share()
        with redis_errors():
            self._shed(fair)
            for place in self._places:
                owner = self._owned.get(place)
                if owner is None and len(self._owned) >= fair:
                    continue
                owner = owner or random_id()
                if self._renew([self._keys.lease(*place)], [owner, int(LEASE_SECONDS * 1000)]):
                    self._owned[place] = owner
                else:
                    self._owned.pop(place, None)
        self._renewed = self._kept = now

    def _keep_leases(self) -> None:
        """Hold on, within a step, to what is held: a slow bus must not have the last partitions never consumed."""
        now = time.monotonic()
        if now - self._kept < LEASE_SECONDS / 3:
            return
        with redis_errors():
            for place, owner in list(self._owned.items()):
                if not self._keep([self._keys.lease(*place)], [owner, int(LEASE_SECONDS * 1000)]):
                    self._lost(*place)
        self._kept = now

    def _lost(self, topic: str, part: int) -> None:
        log.warning("the lease of %s:%d went to another worker", topic, part)
        self._owned.pop((topic, part), None)

    def _fair_share(self) -> int:
        """Partitions for each of the workers seen lately; call it once for a renewal."""
        with redis_errors():
            alive = int(self._alive([self._keys.workers], [self._id, LEASE_SECONDS]))
        return math.ceil(len(self._places) / max(1, alive))

    def _shed(self, fair: int) -> None:
        """Let go of what exceeds the fair share, for a worker that joined."""
        for place in list(self._owned)[fair:]:
            self._release([self._keys.lease(*place)], [self._owned.pop(place)])

    def _positions(self, places: Sequence[tuple[str, int]]) -> list[str]:
        if not places:
            return []
        with redis_errors():
            stored = self._redis.hmget(self._keys.cursors, [f"{topic}:{part}" for topic, part in places])
        return [position.decode() if position else "" for position in stored]

    def _consume(self, topic: str, part: int, after: str) -> int:
        events = self._bus.read(topic, part, after, BATCH)
        self.meter.waited(topic, part, events[0].at if events else None)
        batch = self._reckoned(topic, part, events)
        if not batch:
            return 0
        events = events[: len(batch)]
        applied, faulty, why = self._store(topic, part, after, batch)
        if faulty:
            events = events[:faulty]
            after = events[-2].position if faulty > 1 else after
            log.error("an event of %s:%d goes to the dead letters: %s", topic, part, why)
            instead = self._bury(topic, events[-1], why)
            skipped, again, why = self._store(topic, part, after, [(events[-1], instead)])
            if again:
                raise UnderstudyError(f"Redis cannot count a dead letter: {why}; look at the keys named there")
            applied = skipped if skipped < 0 else applied + skipped
        if applied == MOVED:
            log.warning("%s:%d is read again from where Redis, which went back, says that it got", topic, part)
            return 0
        if applied < 0:
            self._lost(topic, part)
            return 0
        self._bus.forget(topic, part, events[-1].position)
        return applied

    def _reckoned(self, topic: str, part: int, events: list[Received]) -> list[tuple[Received, list[list[Any]]]]:
        """Events with their effects, up to one that waits."""
        batch = []
        for event in events:
            try:
                batch.append((event, self._effects(topic, event)))
            except Waits as error:
                if (topic, part) not in self._waiting:
                    log.error("%s:%d waits: %s", topic, part, error.message)
                self._waiting.add((topic, part))
                return batch
        if events:
            self._waiting.discard((topic, part))
        return batch

    def _store(
        self, topic: str, part: int, after: str, batch: list[tuple[Received, list[list[Any]]]]
    ) -> tuple[int, int, str]:
        """Effects, numbers and position of what was read after `after` in one call; what effects.lua answers."""
        events = [[event.position, event.spool, event.number, commands, event.first] for event, commands in batch]
        keys = [self._keys.lease(topic, part), self._keys.cursors, self._keys.applied(topic, part), self._keys.counters]
        told = json.dumps([after, events], ensure_ascii=False)
        arguments = [self._owned[topic, part], f"{topic}:{part}", told, self._settings]
        with redis_errors():
            applied, faulty, why = self._apply(keys, arguments)
        return int(applied), int(faulty), why.decode()

    def _measure(self) -> None:
        now = time.monotonic()
        if now - self._measured < 1.0:
            return
        self._measured = now
        with redis_errors():
            cursors: Any = self._redis.hgetall(self._keys.cursors)
            for topic, part in list(self._owned):
                self._keep_leases()
                field = f"{topic}:{part}"
                with contextlib.suppress(Unavailable):  # one that cannot be asked holds up no other
                    lag = self._bus.lag(topic, part, (cursors.get(field.encode()) or b"").decode())
                    self._redis.hset(self._keys.lag, field, lag)
                self._redis.hset(self._keys.meters, field, self.meter.told(topic, part))
