"""The hard pool as the trainer sees it, and requests for a round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import redis

from feedback.events import HardSample
from feedback.pool.config import PoolConfig
from feedback.pool.store import ANCHOR, Pool
from feedback.privacy.vault import Vault
from feedback.store.connection import connect, redis_errors
from feedback.store.keys import RedisKeys
from understudy.errors import Unavailable

SEEN = 1000
"""Fresh samples that are counted; more need no count."""
MOST_FRESH = 2000
"""Fresh samples that one round looks at."""
NO_REDIS = "there is no Redis to read the hard pool from; set `redis.url`, or start the system with `understudy up`"


class PoolSource:
    """Samples from the hard pool in Redis. Everything raises Unavailable while Redis is away."""

    def __init__(self, url: str | None, prefix: str, config: PoolConfig, vault: Vault | None = None) -> None:
        self._url, self._prefix, self._config, self._vault = url, prefix, config, vault

    @cached_property
    def _pool(self) -> Pool:
        if not self._url:
            raise Unavailable(NO_REDIS)
        return Pool(connect(self._url), self._prefix, self._config, self._vault)

    def hard(self, n: int) -> Sequence[HardSample]:
        """Up to `n` hard samples, uniform within quotas."""
        return self._pool.sample(n)

    def fresh(self, position: int, student: str) -> Sequence[HardSample]:
        """Samples with a failed check of `student` that were admitted after `position`."""
        return self._pool.sample(MOST_FRESH, after=position, student=student)

    def anchors(self, n: int) -> Sequence[HardSample]:
        """Up to `n` exchanges that passed their checks, or are of the half that stands for all traffic."""
        return self._pool.sample(n, kind=ANCHOR)

    def position(self) -> int:
        """Number of the newest hard sample."""
        return self._pool.last_seq()

    def fresh_since(self, position: int, student: str, enough: int) -> int:
        """Samples with a failed check of `student` that were admitted after `position`.

        What an earlier student failed says nothing of this one. Fewer than `enough` of all need no look.
        """
        whole = self._pool.fresh_since(position)
        if whole < enough:
            return whole
        return len(self._pool.sample(SEEN, after=position, student=student))

    def purged(self) -> Mapping[str, float]:
        """Up to when (seconds since the epoch) tenants were purged."""
        return self._pool.purged()


class Requests:
    """The key by which the control plane asks for a round."""

    def __init__(self, url: str | None, prefix: str) -> None:
        self._client = connect(url, timeout=0.5) if url else None
        self._key = RedisKeys(prefix).round_request

    def read(self) -> str | None:
        """The reason that was given; None when nobody asks, or Redis is away."""
        if self._client is None:
            return None
        try:
            value = self._client.get(self._key)
        except redis.RedisError:
            return None
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else None

    def clear(self) -> None:
        """Take the request away, once its round has begun; one that stays begins another."""
        if self._client is not None:
            with redis_errors():
                self._client.delete(self._key)
