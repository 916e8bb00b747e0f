"""What Redis Streams add to the contract: each number once, gaps named, bounds in bytes."""

from __future__ import annotations

import pytest
import redis

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Numbered
from feedback.bus.redis import RedisBus
from feedback.events import EXCHANGES, VERDICTS
from feedback.store.config import RedisConfig
from feedback.store.server import RedisServer
from understudy.errors import Unavailable


def events(first: int, last: int) -> list[Numbered]:
    return [Numbered(n, "会话", f"事件 {n}".encode()) for n in range(first, last + 1)]


def test_redis_takes_each_number_once_and_names_gaps(redis_url: str) -> None:
    bus = open_bus(BusConfig(url=redis_url), RedisConfig())
    bus.publish(EXCHANGES, 0, "s", events(1, 5))
    assert bus.publish(EXCHANGES, 0, "s", events(3, 8)).highest == 8
    assert bus.lag(EXCHANGES, 0, "") == 8
    gap = bus.publish(EXCHANGES, 0, "s", events(12, 13))
    assert (gap.state, gap.highest) == ("gap", 8)
    bus.skip(EXCHANGES, 0, "s", 11)
    bus.skip(EXCHANGES, 0, "s", 4)
    assert bus.publish(EXCHANGES, 0, "s", events(12, 13)).highest == 13
    assert bus.lag(EXCHANGES, 0, "") == 10


def test_a_full_stream_refuses_until_consumed(redis_url: str) -> None:
    bus = RedisBus(redis_url, "us:", 1, max_stream_bytes=800)
    first = bus.publish(EXCHANGES, 0, "s", events(1, 50))
    assert first.state == "full"
    assert 0 < first.highest < 50
    assert bus.publish(EXCHANGES, 0, "s", events(first.highest + 1, 50)).highest == first.highest
    got = bus.read(EXCHANGES, 0, "", 100)
    bus.forget(EXCHANGES, 0, got[-1].position)
    assert bus.publish(EXCHANGES, 0, "s", events(first.highest + 1, 50)).highest > first.highest


def test_a_topic_nobody_consumes_forgets_its_oldest(redis_url: str) -> None:
    bus = RedisBus(redis_url, "us:", 1, max_stream_bytes=800)
    assert bus.publish(VERDICTS, 0, "s", events(1, 50)).state == "ok"
    numbers = [e.number for e in bus.read(VERDICTS, 0, "", 100)]
    assert numbers[-1] == 50
    assert len(numbers) < 50
    used = int(redis.Redis.from_url(redis_url).get(f"us:bus:{VERDICTS}:0:bytes") or 0)  # type: ignore[arg-type]
    assert used <= 800


def test_a_bus_that_is_away_says_so_and_comes_back(own_redis: RedisServer) -> None:
    bus = open_bus(BusConfig(url=own_redis.url), RedisConfig())
    bus.publish(EXCHANGES, 0, "s", events(1, 2))
    own_redis.stop()
    with pytest.raises(Unavailable, match="away"):
        bus.publish(EXCHANGES, 0, "s", events(3, 4))
    own_redis.start()
    assert bus.publish(EXCHANGES, 0, "s", events(3, 4)).highest == 4
