"""A process to kill: `child.py produce URL FOLDER FIRST LAST`, or `child.py consume URL`.

The producer prints each number once its event is on disk; the consumer counts each event in the
hash `seen` and appends its number to the list of its session.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus, Received
from feedback.consume.consumer import Consumer, Effects
from feedback.events import KPIS, Kpi
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.store.config import RedisConfig
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from understudy.errors import Unavailable

BUSES: list[Bus] = []
"""Of the consumers made so far, not yet closed."""


def event(number: int) -> Kpi:
    """Event `number`, of one of eleven sessions."""
    return Kpi(id=f"e{number}", session=f"会话{number % 11}", at=1.0, kpi="n", value=float(number))


def effects(_: str, received: Received) -> list[list[Any]]:
    """Count the event, and keep the order within its session."""
    kpi = Kpi.model_validate_json(received.value)
    return [["HINCRBY", "seen", kpi.id, 1], ["RPUSH", f"order:{kpi.session}", str(int(kpi.value))]]


def produce(url: str, folder: str, first: int, last: int) -> None:
    """Store the events `first` to `last`, several a batch, and wait until they are published."""
    bus = open_bus(BusConfig(url=url), RedisConfig())
    outbox = Outbox(Path(folder), "gateway", bus, OutboxConfig(queue=64))
    outbox.start()
    for number in range(first, last + 1):
        while not outbox.put(event(number)):
            time.sleep(0.001)
        if number % 20 == 0 or number == last:
            while outbox.stats()["stored"] < number - first + 1:
                time.sleep(0.001)
            print(number, flush=True)
    while outbox.stats()["pending"]:
        time.sleep(0.01)


def bury(topic: str, received: Received, why: str) -> list[list[Any]]:
    """Count what cannot be applied."""
    return [["HINCRBY", "buried", why.split()[0], 1]]


def make_consumer(url: str, bus_url: str = "", topics: Sequence[str] = (KPIS,), effects: Effects = effects) -> Consumer:
    """A consumer with the effects above, or with others; its bus is closed after the test."""
    BUSES.append(bus := open_bus(BusConfig(url=bus_url or url), RedisConfig()))
    return Consumer(bus, connect(url), RedisKeys(), topics, effects, bury)


def expect_each_once(url: str, count: int) -> None:
    """Every event counted once, and in order within its session."""
    client = redis.Redis.from_url(url, decode_responses=True)
    seen = client.hgetall("seen")
    assert set(seen) == {f"e{n}" for n in range(1, count + 1)}
    assert set(seen.values()) == {"1"}
    for session in range(11):
        numbers = [int(n) for n in client.lrange(f"order:会话{session}", 0, -1)]
        assert numbers == sorted(numbers)


def consume(url: str) -> None:
    """Consume for ever."""
    consumer = make_consumer(url)
    while True:
        try:
            if not consumer.step():
                time.sleep(0.01)
        except Unavailable:
            time.sleep(0.1)


if __name__ == "__main__":
    if sys.argv[1] == "produce":
        produce(sys.argv[2], sys.argv[3], *json.loads(sys.argv[4]))
    else:
        consume(sys.argv[2])
