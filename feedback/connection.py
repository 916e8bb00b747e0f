"""One way to reach Redis: short timeouts, no hidden retries, its errors turned into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from understudy.errors import Unavailable

TIMEOUT = 2.0
"""Seconds for connecting and for each reply."""


def connect(url: str, timeout: float = TIMEOUT) -> redis.Redis:
    """A client that connects on first use and again after a loss; safe to share between threads."""
    return redis.Redis.from_url(
        url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 1)
    )


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn what the client raises for a server that is away or full into `Unavailable`."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError, redis.ReadOnlyError) as error:
        raise Unavailable(f"Redis is away: {error}; what needs it waits and tries again") from error
    except redis.ResponseError as error:
        if str(error).startswith(("OOM", "MISCONF", "LOADING", "BUSY")):
            raise Unavailable(f"Redis refuses writes: {error}; give it memory or disk") from error
        raise
