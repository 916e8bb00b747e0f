"""The pool as the trainer sees it, on a real Redis."""

from __future__ import annotations

import pytest
import redis

from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from online_distill.data.source import PoolSource, Requests
from tests.online_distill.world import make_samples
from understudy.errors import Unavailable

CONFIG = PoolConfig(duplicate_similarity=1.0)


def test_it_counts_what_the_current_student_failed_after_a_position(redis_url: str) -> None:
    pool, source = Pool(redis.Redis.from_url(redis_url), config=CONFIG), PoolSource(redis_url, "us:", CONFIG)
    for sample in make_samples(10):
        pool.admit(sample)
    before = source.position()
    assert len(source.hard(100)) == 10
    for sample in make_samples(6, start=100):
        pool.admit(sample)
    for sample in make_samples(4, start=200):
        pool.admit(sample.model_copy(update={"student": "v0"}))
    assert source.fresh_since(before, "v1", enough=5) == 6
    assert source.fresh_since(before, "v1", enough=99) == 10
    assert {sample.exchange for sample in source.fresh(before, "v1")} == {f"x{n}" for n in range(100, 106)}
    assert source.anchors(10) == []


def test_it_knows_who_was_purged(redis_url: str) -> None:
    pool, source = Pool(redis.Redis.from_url(redis_url), config=CONFIG), PoolSource(redis_url, "us:", CONFIG)
    pool.purge("a", 12.5)
    assert source.purged() == {"a": 12.5}


def test_no_redis_is_said() -> None:
    with pytest.raises(Unavailable, match="understudy up"):
        PoolSource(None, "us:", CONFIG).position()


def test_a_request_stands_until_it_is_taken_away(redis_url: str) -> None:
    requests = Requests(redis_url, "us:")
    assert requests.read() is None
    redis.Redis.from_url(redis_url).set("us:round:request", "operator")
    assert requests.read() == "operator"
    requests.clear()
    assert requests.read() is None


def test_without_redis_nobody_asks() -> None:
    assert Requests(None, "us:").read() is None
    assert Requests("redis://127.0.0.1:1", "us:").read() is None
