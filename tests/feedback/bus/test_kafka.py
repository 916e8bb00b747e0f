"""What Kafka adds to the contract."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from feedback.bus.config import BusConfig
from feedback.bus.kafka import KafkaBus
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Numbered
from feedback.events import EXCHANGES
from feedback.store.config import RedisConfig
from tests.waiting import eventually
from understudy.errors import Unavailable
from understudy.ids import random_id


def events(first: int, last: int) -> list[Numbered]:
    return [Numbered(n, "会话", f"事件 {n}".encode()) for n in range(first, last + 1)]


def test_a_kafka_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback.bus.kafka_cluster.CONNECT_MS", 500)
    bus = open_bus(BusConfig(url="kafka://127.0.0.1:1"), RedisConfig())
    with pytest.raises(Unavailable, match="Kafka"):
        bus.publish(EXCHANGES, 0, "s", events(1, 1))
    bus.close()


@pytest.mark.kafka
def test_a_consumer_that_brings_nothing_any_more_is_made_anew(
    kafka_servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback.bus.kafka.STALL_SECONDS", 0.2)
    topic = f"{EXCHANGES}.{random_id()[:8]}"
    bus = KafkaBus(kafka_servers, 1)
    bus.publish(topic, 0, "s", events(1, 3))
    assert bus.lag(topic, 0, "") == 3
    stalled = bus._consumer
    assert stalled is not None
    stalled.pause(*stalled.assignment())
    monkeypatch.setattr(stalled, "resume", lambda *_: None)
    got: list[int] = []

    def read() -> bool:
        got.extend(event.number for event in bus.read(topic, 0, "", 9)[:3])
        return bus.lag(topic, 0, "") == 3 and got[:3] == [1, 2, 3]

    eventually(read)
    assert bus._consumer is not stalled
    bus.close()


@pytest.mark.kafka
def test_events_that_came_while_a_partition_was_not_read_are_no_stall(
    kafka_servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback.bus.kafka.STALL_SECONDS", 0.0)
    topic = f"{EXCHANGES}.{random_id()[:8]}"
    bus = KafkaBus(kafka_servers, 1)
    bus.publish(topic, 0, "s", events(1, 1))
    got: list[str] = []
    eventually(lambda: got.extend(event.position for event in bus.read(topic, 0, "", 9)) or got)
    before = bus._consumer
    assert bus.read(topic, 0, got[-1], 9) == []
    bus.publish(topic, 0, "s", events(2, 2))
    assert bus.lag(topic, 0, got[-1]) == 1
    assert bus._consumer is before
    bus.close()


@pytest.mark.kafka
def test_events_of_a_write_say_with_which_number_it_began(kafka_servers: str) -> None:
    """So that of one whose beginning failed the end is known for what it is."""
    topic = f"{EXCHANGES}.{random_id()[:8]}"
    bus = KafkaBus(kafka_servers, 1)
    assert bus.publish(topic, 0, "s", events(1, 3)).highest == 3
    writer = bus._writer()
    send = writer.send

    class Late:
        def get(self, timeout: float) -> None:
            raise KafkaTimeoutError("the broker was not heard")

    def failing(*given: Any, headers: list[tuple[str, bytes]], **more: Any) -> Any:
        return Late() if int(dict(headers)["n"]) < 6 else send(*given, headers=headers, **more)

    writer.send = failing
    with pytest.raises(Unavailable):
        bus.publish(topic, 0, "s", events(4, 7))
    assert bus.publish(topic, 0, "s", events(4, 7)).highest == 7
    read: list[tuple[int, int]] = []

    def all_read() -> bool:
        read[:] = [(event.number, event.first) for event in bus.read(topic, 0, "", 99)]
        return len(read) == 9

    eventually(all_read)
    assert read == [(1, 1), (2, 1), (3, 1), (6, 4), (7, 4), (4, 4), (5, 4), (6, 4), (7, 4)]
    bus.close()
