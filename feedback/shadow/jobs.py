"""Shadow copies waiting to be asked: a bounded queue in Redis, filled in the call that consumes.

A job is taken with a lease and ends in one call together with its effects; a worker that dies in
between leaves it to be taken again, so that a pair counts once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feedback.events import Exchange
from feedback.privacy.vault import Purged, Sealed, Vault
from feedback.rows.calling import RowScript
from feedback.rows.files import RowFiles
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import ROWS

ATTEMPTS = 3
"""Times that a job is taken after the worker that held it died."""

CLAIM = """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)
if #found == 0 then return false end
redis.call('ZADD', KEYS[1], ARGV[2], found[1])
local taken = redis.call('HINCRBY', KEYS[2] .. ':taken', found[1], 1)
return { found[1], redis.call('HGET', KEYS[2], found[1]), taken }
"""


@dataclass(frozen=True, slots=True)
class Job:
    """An exchange to be asked of the other arm until `until` (seconds since the epoch)."""

    id: str
    exchange: Exchange
    until: float
    taken: int = 1


def push(
    keys: RedisKeys, identity: str, stored: str, now: float, deadline: float, bound: int, session: str = ""
) -> list[Any]:
    """The verb (effects.lua) that queues a job, or counts it as dropped when `bound` are waiting.

    `stored`: the exchange as the vault sealed it; `session` as `feedback.flagged.sessions` names it: one that is held
    back there has nothing queued.
    """
    payload = json.dumps({"until": now + deadline, "exchange": stored})
    place = [keys.held_sessions, session]
    return ["push", keys.jobs, keys.payloads, keys.counters, identity, payload, f"{now:.3f}", bound, *place]


class Jobs:
    """The queue; blocking calls that raise Unavailable while Redis is away."""

    def __init__(
        self, client: Client, keys: RedisKeys, lease: float, vault: Vault, told: str, files: RowFiles | None = None
    ) -> None:
        """`told`: what the verbs of a job's effects must know, see `feedback.kpis.effects.settings`; `files`: where
        spilled rows of users lie."""
        self._redis = client
        self._told = told
        self._keys = keys
        self._lease = lease
        self._vault = vault
        self._claim = client.register_script(CLAIM)
        self._finish = RowScript(client, (*ROWS, "finish"), files)

    def claim(self, now: float) -> Job | None:
        """The next job, held until `now` + lease; None when there is none."""
        places = [self._keys.jobs, self._keys.payloads]
        with redis_errors():
            found = self._claim(places, [f"{now:.3f}", f"{now + self._lease:.3f}"])
        if not found:
            return None
        identity = found[0].decode()
        if found[1] is None or int(found[2]) > ATTEMPTS:
            self.drop(identity, "given_up")
            return None
        payload = json.loads(found[1])
        held = payload["exchange"]
        try:
            exchange = self._vault.open(Exchange, held if isinstance(held, str) else json.dumps(held))
        except (Purged, Sealed) as error:
            self.drop(identity, error.code)
            return None
        taken = int(found[2])
        until = payload["until"] if taken == 1 else max(payload["until"], now + self._lease / 2)
        return Job(identity, exchange, until, taken)

    def finish(self, identity: str, commands: Sequence[Sequence[Any]] = ()) -> bool:
        """End a job and apply `commands` in the same call; False when it had ended before."""
        places = [self._keys.jobs, self._keys.payloads]
        with redis_errors():
            return bool(self._finish(places, [identity, json.dumps(commands, ensure_ascii=False), "", self._told]))

    def drop(self, identity: str, reason: str) -> None:
        """End a job without a verdict, counted as `dropped_<reason>`."""
        self.finish(identity, [["HINCRBY", self._keys.counters, f"dropped_{reason}", 1]])

    def waiting(self) -> int:
        """Jobs in the queue, those being asked included."""
        with redis_errors():
            return int(self._redis.zcard(self._keys.jobs))
