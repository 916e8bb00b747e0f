"""One contract, both buses: order, no doubles where the bus can tell, reading on from a position."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus, Numbered, Received
from feedback.events import EXCHANGES
from feedback.store.config import RedisConfig
from understudy.ids import random_id


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "kafka":
        return f"kafka://{request.getfixturevalue('kafka_servers')}"
    return str(request.getfixturevalue("redis_url"))


@pytest.fixture
def bus(url: str) -> Iterator[Bus]:
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
    end = time.monotonic() + 60
    while len(got) < count and time.monotonic() < end:
        got += bus.read(topic, partition, got[-1].position if got else after, 7)
    return got


def test_events_come_back_in_order_with_spool_and_number(bus: Bus, topic: str) -> None:
    assert bus.publish(topic, 1, "spool", events(1, 20)).highest == 20
    got = read_all(bus, topic, 1, "", 20)
    assert [(e.spool, e.number, e.value) for e in got] == [("spool", n, f"事件 {n}".encode()) for n in range(1, 21)]
    assert {e.key for e in got} == {"会话"}
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


def test_what_was_left_beyond_the_partitions_of_now_is_seen(bus: Bus, topic: str, url: str) -> None:
    assert bus.width(topic) == 2
    wider = open_bus(BusConfig(url=url, partitions=5), RedisConfig())
    wider.publish(topic, 4, "spool", events(1, 3))
    wider.close()
    assert bus.width(topic) == 5
    assert [event.number for event in read_all(bus, topic, 4, "", 3)] == [1, 2, 3]
