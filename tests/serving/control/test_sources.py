"""What the control plane reads from Redis, and that nothing is made up where there is none."""

from __future__ import annotations

import pytest
import redis

from feedback.store.config import RedisConfig
from feedback.store.keys import RedisKeys
from serving.control.sources import Sources
from understudy.config import Config
from understudy.errors import Unavailable


def test_without_redis_everything_says_so_and_the_canary_gets_no_kpis() -> None:
    without = Sources(Config({}), RedisConfig())
    reads = (without.pool, without.lag, lambda: without.kpis("arm"), lambda: without.exposures("a"))
    for read in (*reads, lambda: without.purge("acme"), lambda: without.request_round("why")):
        with pytest.raises(Unavailable, match=r"redis\.url"):
            read()
    assert without.stats() is None


def test_the_lag_is_summed_by_topic_and_unknown_until_somebody_reports(sources: Sources, redis_url: str) -> None:
    assert sources.lag() is None
    client = redis.Redis.from_url(redis_url)
    client.hset(RedisKeys("us:").lag, mapping={"exchanges:0": 2, "exchanges:1": 3, "kpis:0": 0})
    assert sources.lag() == {"exchanges": 5, "kpis": 0}


def test_kpis_for_the_canary_are_summaries_by_version(sources: Sources, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    client.hset(f"{RedisKeys('us:').kpis}version:v1", mapping={"rating:n": 2, "rating:s": 6, "rating:q": 20})
    stats = sources.stats()
    assert stats is not None
    assert (stats["v1"]["rating"].n, stats["v1"]["rating"].mean) == (2, 3.0)


def test_a_round_is_asked_for_where_the_trainer_looks(sources: Sources, redis_url: str) -> None:
    sources.request_round("drift")
    assert redis.Redis.from_url(redis_url).get("us:round:request") == b"drift"
