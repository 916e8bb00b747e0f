"""One way to reach Redis: short timeouts, no hidden retries, its errors turned into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from understudy.errors import Unavailable

Client = Any
"""A `redis.Redis`; its own annotations and the separate stubs disagree on whether it has type arguments."""
TIMEOUT = 2.0
"""Seconds for connecting and for each reply."""


def connect(url: str, timeout: float = TIMEOUT) -> Client:
    """A client that connects on first use and again after a loss; safe to share between threads."""
    return redis.Redis.from_url(
        url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 1)
    )


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn what the client raises for a server that is away or full into `Unavailable`."""
    try:
        yield
    except redis.ResponseError as error:
        raise Unavailable(f"Redis refuses: {error}; give it memory or disk, and check its version") from error
    except redis.RedisError as error:
        raise Unavailable(f"Redis is away: {error}; what needs it waits and tries again") from error
