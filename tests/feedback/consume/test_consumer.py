"""Partitions are shared among workers, and only who holds the lease changes anything."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Numbered, Received
from feedback.consume import consumer as consumer_module
from feedback.events import KPIS
from feedback.store.config import RedisConfig
from feedback.store.keys import RedisKeys
from tests.feedback.child import event, expect_each_once, make_consumer
from tests.waiting import LONG, eventually

ROOT = Path(__file__).resolve().parents[3]
CONSUMED_STATE = ("seen", RedisKeys().cursors, RedisKeys().applied(KPIS, 0), RedisKeys().counters)
"""What tells how far a partition was consumed, and what came of it."""


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a step may take longer than a lease lasts."""
    monkeypatch.setattr(consumer_module, "LEASE_SECONDS", 60.0)


def test_an_owner_that_lost_its_lease_changes_nothing(redis_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.feedback.child", "produce", redis_url, str(tmp_path), "[1, 40]"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=LONG, stdout=subprocess.DEVNULL)
    client = redis.Redis.from_url(redis_url)
    paused = make_consumer(redis_url)
    paused._lease()
    assert len(paused.owned) == 2
    for part in range(2):
        client.set(RedisKeys().lease(KPIS, part), "another")
    assert paused.step() == 0
    assert paused.owned == []
    assert client.hlen("seen") == 0
    for part in range(2):
        client.delete(RedisKeys().lease(KPIS, part))
    paused.release()
    other = make_consumer(redis_url)
    assert sum(other.step() for _ in range(4)) == 40
    expect_each_once(redis_url, 40)


def test_partitions_are_shared_with_a_worker_that_joins(redis_url: str) -> None:
    first, second = make_consumer(redis_url), make_consumer(redis_url)
    first.step()
    assert len(first.owned) == 2
    second.step()
    first._renewed = second._renewed = 0.0
    first.step()
    second.step()
    assert (len(first.owned), len(second.owned)) == (1, 1)
    first.release()
    second._renewed = 0.0
    second.step()
    assert len(second.owned) == 2


def test_a_bus_too_slow_for_one_lease_of_all_partitions_leaves_none_unread(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "tests.feedback.child", "produce", redis_url, str(tmp_path), "[1, 40]"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=LONG, stdout=subprocess.DEVNULL)
    monkeypatch.setattr(consumer_module, "LEASE_SECONDS", 1.0)
    slow = make_consumer(redis_url)
    read = slow._bus.read

    def slowly(topic: str, partition: int, after: str, limit: int) -> list[Received]:
        time.sleep(0.7)
        return read(topic, partition, after, limit)

    monkeypatch.setattr(slow._bus, "read", slowly)
    client = redis.Redis.from_url(redis_url)

    def all_applied() -> bool:
        slow.step()
        return client.hlen("seen") == 40

    eventually(all_applied)
    expect_each_once(redis_url, 40)


def test_numbers_that_never_come_are_counted(redis_url: str) -> None:
    bus = open_bus(BusConfig(url=redis_url), RedisConfig())
    batch = [Numbered(n, "会话", event(n).model_dump_json().encode()) for n in range(1, 13)]
    bus.publish(KPIS, 0, "spool", batch[:5])
    bus.skip(KPIS, 0, "spool", 9)
    bus.publish(KPIS, 0, "spool", batch[9:])
    consumer = make_consumer(redis_url)
    assert sum(consumer.step() for _ in range(3)) == 8
    assert redis.Redis.from_url(redis_url).hget(RedisKeys().counters, "bus.lost") == b"4"


def test_partitions_that_are_no_more_configured_are_drained(redis_url: str) -> None:
    bus = open_bus(BusConfig(url=redis_url, partitions=5), RedisConfig())
    for part in range(5):
        batch = [Numbered(n, "会话", event(part * 10 + n).model_dump_json().encode()) for n in (1, 2)]
        bus.publish(KPIS, part, "spool", batch)
    consumer = make_consumer(redis_url)
    assert consumer.step() == 10
    client = redis.Redis.from_url(redis_url)
    assert client.hlen("seen") == 10
    assert client.hget(RedisKeys().lag, f"{KPIS}:4") == b"0"


def test_clocks_an_hour_apart_keep_no_partition_from_its_worker(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    now = int(client.time()[0])  # type: ignore[index]
    client.zadd(RedisKeys().workers, {"from an hour ahead": now + 3600, "from an hour ago": now - 3600})
    for part in range(2):  # leases of one that died just before the clock of Redis was set back
        client.set(RedisKeys().lease(KPIS, part), "dead", px=3_600_000)
    worker = make_consumer(redis_url)
    worker.step()
    assert 0 < client.pttl(RedisKeys().lease(KPIS, 0)) <= consumer_module.LEASE_SECONDS * 1000  # type: ignore[operator]
    for part in range(2):
        client.delete(RedisKeys().lease(KPIS, part))
    worker._renewed = 0.0
    worker.step()
    assert len(worker.owned) == 2


def test_an_event_that_comes_again_is_applied_once(redis_url: str) -> None:
    """A bus may bring again what was read: Kafka after a lost position, a worker after its Redis went back."""
    consumer = make_consumer(redis_url)
    consumer._lease()
    again = [(Received(str(n), "spool", n, "s", b"{}"), [["HINCRBY", "again", f"event {n}", 1]]) for n in range(1, 4)]
    assert consumer._store(KPIS, 0, "", again)[0] == 3
    assert consumer._store(KPIS, 0, "3", again)[0] == 0
    counts = redis.Redis.from_url(redis_url).hgetall("again")
    assert set(counts.values()) == {b"1"}
    assert len(counts) == 3


def test_a_batch_that_was_read_before_redis_went_back_is_read_again_from_where_redis_is(redis_url: str) -> None:
    """Its log was cut by a crash between the reading of the position and the effects; the bus went back nowhere."""
    bus = open_bus(BusConfig(url=redis_url, partitions=2), RedisConfig())
    whole = [Numbered(n, "会话", event(n).model_dump_json().encode()) for n in range(1, 101)]
    bus.publish(KPIS, 0, "spool", whole)
    client = redis.Redis.from_url(redis_url)
    consumer = make_consumer(redis_url)
    consumer._bus.forget = lambda *_: None  # type: ignore[method-assign]  # a bus of its own, which keeps its events
    known = [client.dump(name) for name in CONSUMED_STATE]
    assert consumer.step() == 64
    reckon = consumer._effects

    def gone_back(topic: str, received: Received) -> list[list[object]]:
        if received.number == 65:
            client.delete(*CONSUMED_STATE)
            for name, value in zip(CONSUMED_STATE, known, strict=True):
                if value is not None:
                    client.restore(name, 0, value)
        return reckon(topic, received)

    consumer._effects = gone_back
    assert consumer.step() == 0
    assert client.hget(RedisKeys().cursors, f"{KPIS}:0") is None
    consumer._effects = reckon
    assert consumer.step() + consumer.step() == 100
    assert client.hlen("seen") == 100
    assert client.hget(RedisKeys().counters, "bus.lost") is None


def test_the_end_of_a_write_whose_beginning_failed_waits_for_the_whole(redis_url: str) -> None:
    consumer = make_consumer(redis_url)
    consumer._lease()

    def read(numbers: range, first: int, at: int) -> list[tuple[Received, list[list[object]]]]:
        return [
            (Received(str(at + place), "spool", n, b"", first=first), [["RPUSH", "applied", n]])
            for place, n in enumerate(numbers)
        ]

    assert consumer._store(KPIS, 0, "", read(range(1, 11), 1, 1))[0] == 10
    assert consumer._store(KPIS, 0, "10", read(range(15, 21), 11, 11))[0] == 0  # 11 to 14 did not arrive
    assert consumer._store(KPIS, 0, "16", read(range(11, 21), 11, 17))[0] == 10
    assert consumer._store(KPIS, 0, "26", read(range(25, 31), 25, 27))[0] == 6  # 21 to 24 are gone for good
    client = redis.Redis.from_url(redis_url)
    assert [int(n) for n in client.lrange("applied", 0, -1)] == [*range(1, 21), *range(25, 31)]
    assert client.hget(RedisKeys().counters, "bus.lost") == b"4"


def test_a_lease_that_went_to_another_worker_is_not_given_back(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    consumer = make_consumer(redis_url)
    consumer._lease()
    client.set(RedisKeys().lease(KPIS, 0), "another")
    consumer.release()
    assert client.get(RedisKeys().lease(KPIS, 0)) == b"another"
    assert client.get(RedisKeys().lease(KPIS, 1)) is None
