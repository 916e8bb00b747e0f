"""One contract, both buses: order, no doubles where the bus can tell, reading on from a position."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus, Numbered, Received, partition_of
from feedback.bus.redis import RedisBus
from feedback.events import EXCHANGES, VERDICTS
from feedback.store.config import RedisConfig
from feedback.store.server import RedisServer
from understudy.errors import ConfigError, Unavailable
from understudy.ids import random_id


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    if request.param == "kafka":
        url = f"kafka://{request.getfixturevalue('kafka_servers')}"
    else:
        url = request.getfixturevalue("redis_url")
    made = open_bus(BusConfig(url=url), RedisConfig())
    yield made
    made.close()


@pytest.fixture
def topic() -> str:
    return f"{EXCHANGES}.{random_id()[:8]}"


def events(first: int, last: int) -> list[Numbered]:
    return [Numbered(n, "会话", f"事件 {n}".encode()) for n in range(first, last + 1)]


def read_all(bus: Bus, topic: str, partition: int, after: str, count: int) -> list[Received]:
    got: list[Received] = []
    end = time.monotonic() + 20
    while len(got) < count and time.monotonic() < end:
        got += bus.read(topic, partition, got[-1].position if got else after, 7)
    return got


def test_events_come_back_in_order_with_spool_and_number(bus: Bus, topic: str) -> None:
    assert bus.publish(topic, 1, "spool", events(1, 20)).highest == 20
    got = read_all(bus, topic, 1, "", 20)
    assert [(e.spool, e.number, e.value) for e in got] == [("spool", n, f"事件 {n}".encode()) for n in range(1, 21)]
    assert bus.read(topic, 0, "", 5) == []


def test_reading_goes_on_after_a_position(bus: Bus, topic: str) -> None:
    bus.publish(topic, 0, "spool", events(1, 10))
    first = read_all(bus, topic, 0, "", 10)
    again = read_all(bus, topic, 0, first[3].position, 6)
    assert [e.number for e in again] == [5, 6, 7, 8, 9, 10]
    back = read_all(bus, topic, 0, first[0].position, 9)
    assert [e.number for e in back] == list(range(2, 11))


def test_lag_counts_what_was_not_consumed(bus: Bus, topic: str) -> None:
    bus.publish(topic, 0, "spool", events(1, 5))
    got = read_all(bus, topic, 0, "", 5)
    assert bus.lag(topic, 0, "") == 5
    bus.forget(topic, 0, got[-1].position)
    assert bus.lag(topic, 0, got[-1].position) == 0


def test_an_empty_topic_reads_as_empty(bus: Bus, topic: str) -> None:
    assert bus.read(topic, 0, "", 5) == []
    assert bus.lag(topic, 0, "") == 0


def test_redis_takes_each_number_once_and_names_gaps(redis_url: str) -> None:
    bus = open_bus(BusConfig(url=redis_url), RedisConfig())
    bus.publish(EXCHANGES, 0, "s", events(1, 5))
    assert bus.publish(EXCHANGES, 0, "s", events(3, 8)).highest == 8
    assert bus.lag(EXCHANGES, 0, "") == 8
    gap = bus.publish(EXCHANGES, 0, "s", events(12, 13))
    assert (gap.state, gap.highest) == ("gap", 8)
    assert bus.publish(EXCHANGES, 0, "s", events(12, 13), force=True).highest == 13
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


def test_a_kafka_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback.bus.kafka.CONNECT_MS", 500)
    bus = open_bus(BusConfig(url="kafka://127.0.0.1:1"), RedisConfig())
    with pytest.raises(Unavailable, match="Kafka"):
        bus.publish(EXCHANGES, 0, "s", events(1, 1))


def test_an_unknown_url_is_refused() -> None:
    with pytest.raises(ConfigError, match="redis://"):
        open_bus(BusConfig(url="amqp://x"), RedisConfig())


def test_sessions_keep_their_partition() -> None:
    places = {partition_of(f"s{i}", 4) for i in range(50)}
    assert places == {0, 1, 2, 3}
    assert partition_of("会话-1", 4) == partition_of("会话-1", 4)
