"""One way to find and reach Redis: short timeouts, no hidden retries, its errors turned into ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from feedback.store.config import RedisConfig
from understudy.config import Config
from understudy.errors import Unavailable
from understudy.files import read_json
from understudy.state import StateDir

log = logging.getLogger("understudy.redis")
Client = Any
"""A `redis.Redis`; its own annotations and the separate stubs disagree on whether it has type arguments."""
TIMEOUT = 2.0
"""Seconds for connecting and for each reply."""


def find_redis(config: Config, state: StateDir | None) -> RedisConfig:
    """The Redis of the configuration, else the one of the system that runs in `state`; `url` is empty without one."""
    redis = config.section(RedisConfig)
    if redis.url or state is None or not state.addresses.is_file():
        return redis
    try:
        url = str(read_json(state.addresses).get("redis") or "")
    except (OSError, ValueError, AttributeError) as error:
        log.warning("cannot read %s: %s", state.addresses, error)
        return redis
    return redis.model_copy(update={"url": url})


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
