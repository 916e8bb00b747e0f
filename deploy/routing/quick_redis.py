"""A Redis that may be away: short time-outs, no exceptions, and a pause after a failure.

All calls are synchronous; asyncio callers use `asyncio.to_thread`.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from understudy.clock import Clock, monotonic

TIMEOUT = 0.4
"""Seconds for one call."""
PAUSE = 1.0
"""Seconds without asking after a failure."""


class QuickRedis:
    """Calls that answer None when the server is away; those that share one wait for it once, not each for itself."""

    def __init__(self, url: str, clock: Clock = monotonic) -> None:
        self._client = quick_client(url)
        self._clock = clock
        self._silent_until = 0.0

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A command's answer; None for no text, or when Redis is away, which then is not asked for a second."""
        if self._clock() < self._silent_until:
            return None
        try:
            return getattr(self._client, name)(*args, **kwargs)
        except UnicodeDecodeError:
            return None
        except (redis.RedisError, OSError):
            self._silent_until = self._clock() + PAUSE
            return None

    @property
    def answers(self) -> bool:
        """Whether it can be reached now."""
        return self.call("ping") is not None


def quick_client(url: str) -> Any:
    """A client that gives up soon: one more try on a broken connection, none on a time-out."""
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        decode_responses=True,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
