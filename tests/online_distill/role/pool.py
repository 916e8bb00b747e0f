"""A hard pool with something in it."""

from __future__ import annotations

import redis

from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from tests.online_distill.world import make_samples


def fill(redis_url: str, n: int) -> None:
    """Put `n` distinct hard samples and as many anchors into the pool."""
    pool = Pool(redis.Redis.from_url(redis_url), config=PoolConfig(duplicate_similarity=1.0))
    for sample in make_samples(n):
        pool.admit(sample)
    for sample in make_samples(n, start=5000):
        pool.anchor(sample.model_copy(update={"weight": 1.0}))
