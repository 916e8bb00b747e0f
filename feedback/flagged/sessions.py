"""Sessions of which nothing more is learned: one of their turns was flagged or degraded. Kept in Redis, bounded.

A shadow copy of a held session is left out in the very call that would queue it (`effects.lua`), so that it holds for
every worker and over restarts. Every copy that is left out keeps its session young; those that were silent longest are
forgotten, half of all at a time.
"""

from __future__ import annotations

from typing import Any

from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from understudy.ids import stable_id

MOST = 100_000
"""Sessions of the younger half."""


def session_name(tenant: str, session: str) -> str:
    """What a session is known by there: a hash, which stays when the tenant is purged, as later turns repeat it."""
    return stable_id("held session", tenant, session)[:16]


def hold(keys: RedisKeys, session: str, at: float) -> list[Any]:
    """The verb (effects.lua) after which nothing more is learned of a session."""
    return ["hold", keys.held_sessions, session, f"{at:.3f}"]


def make_room(client: Client, keys: RedisKeys, most: int = MOST) -> bool:
    """Forget the older half where the younger one is full; whether it was. Raises Unavailable."""
    with redis_errors():
        if int(client.hlen(keys.held_sessions)) <= most:
            return False
        client.rename(keys.held_sessions, f"{keys.held_sessions}:before")
        return True
