"""What is in the spool reaches the bus in order, whatever the bus forgot or lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis

from feedback.bus.protocol import Bus, Numbered, Published
from feedback.events import EXCHANGES
from feedback.outbox.producer import Producer
from feedback.outbox.spool import Entry, Spool
from feedback.store.keys import RedisKeys
from feedback.store.server import RedisServer, free_port
from tests.feedback.factory import exchange
from tests.feedback.outbox.conftest import Make, bus_at, read
from tests.waiting import eventually


def test_events_wait_on_disk_for_a_bus_that_is_away(make: Make, tmp_path: Path) -> None:
    port = free_port()
    outbox = make(f"redis://127.0.0.1:{port}/0")
    for n in range(50):
        outbox.put(exchange(n))
    eventually(lambda: outbox.stats()["stored"] == 50)
    eventually(lambda: not outbox.stats()["bus_up"])
    assert outbox.stats()["pending"] == 50
    eventually(lambda: outbox.stats()["oldest_seconds"] > 0)
    assert outbox.stats()["per_second"] == 0
    server = RedisServer(tmp_path / "redis", port=port)
    server.start()
    try:
        eventually(lambda: outbox.stats()["per_second"] > 0)
        eventually(lambda: len(read(server.url)) == 50)
        assert outbox.stats()["dropped"] == {"queue": 0, "spool": 0, "assemble": 0, "size": 0, "purged": 0}
        eventually(lambda: outbox.stats()["oldest_seconds"] == 0)
    finally:
        server.stop()


def test_published_events_leave_the_spool(make: Make, redis_url: str) -> None:
    outbox = make(redis_url, keep_seconds=0.1)
    outbox.put(exchange(1))
    eventually(lambda: outbox.stats()["published"] == 1)
    eventually(lambda: outbox.stats()["spool_bytes"] == 0)
    assert outbox.stats()["pending"] == 0


def test_what_the_bus_has_only_just_named_stays_in_the_spool(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two events, the first named six seconds before the second answer of the bus, the other one just then."""
    place, now = (EXCHANGES, 0), 100.0
    monkeypatch.setattr("feedback.outbox.producer.time", SimpleNamespace(monotonic=lambda: now))
    spool = Spool(tmp_path / "spool.sqlite", 1 << 20)
    producer = Producer(spool, bus_at(redis_url), keep=6.0)
    spool.append([Entry(*place, "s", b"{}")])
    producer._round()
    producer._ask([place], now + 1)
    spool.append([Entry(*place, "s", b"{}")])
    producer._round()
    producer._ask([place], now + 3)
    assert spool.first(*place) == 1
    producer._ask([place], now + 7.5)
    assert spool.first(*place) == 2
    assert [event.number for event in spool.batch(*place, 0, 10)] == [2]
    spool.close()


def test_a_bus_that_forgot_its_last_moments_gets_them_again(make: Make, redis_url: str) -> None:
    outbox = make(redis_url, keep_seconds=600)
    for n in range(10):
        outbox.put(exchange(n, session="s"))
    eventually(lambda: len(read(redis_url)) == 10)
    redis.Redis.from_url(redis_url).flushall()
    outbox.put(exchange(10, session="s"))
    eventually(lambda: len(read(redis_url)) == 11)
    assert [e.response_id for e in read(redis_url)] == [f"resp-{n}" for n in range(11)]


def test_a_bus_that_lost_what_the_spool_no_longer_has_goes_on(make: Make, redis_url: str) -> None:
    outbox = make(redis_url, keep_seconds=0.05)
    outbox.put(exchange(1, session="s"))
    eventually(lambda: outbox.stats()["spool_bytes"] == 0 and outbox.stats()["published"] == 1)
    redis.Redis.from_url(redis_url).flushall()
    outbox.put(exchange(2, session="s"))
    eventually(lambda: [e.response_id for e in read(redis_url)] == ["resp-2"])
    assert outbox.stats()["bus_up"]


@contextmanager
def carrying(folder: Path, bus: Bus) -> Iterator[Producer]:
    """A producer at work whose spool holds one event for each of two partitions."""
    spool = Spool(folder / "spool.sqlite", 1 << 20)
    producer = Producer(spool, bus, keep=6.0)
    spool.append([Entry(EXCHANGES, part, "s", b"{}") for part in (0, 1)])
    producer.start()
    try:
        yield producer
    finally:
        producer.close(1)
        spool.close()


def came(bus: Bus, partition: int) -> bool:
    return [event.value for event in bus.read(EXCHANGES, partition, "", 9)] == [b"{}"]


def test_a_partition_that_cannot_be_asked_waits_alone(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of Kafka, the end of whose log cannot be read after its leader changed."""
    bus, silent = bus_at(redis_url), {(EXCHANGES, 0)}
    ask = bus.held
    monkeypatch.setattr(
        bus, "held", lambda spool, places: ask(spool, [place for place in places if place not in silent])
    )
    with carrying(tmp_path, bus) as producer:
        eventually(lambda: came(bus, 1))
        eventually(lambda: not producer.up)
        assert (producer.pending(), bus.read(EXCHANGES, 0, "", 9)) == (1, [])
        silent.clear()
        eventually(lambda: came(bus, 0))
        eventually(lambda: producer.up)


def test_a_partition_that_fails_holds_up_no_other(tmp_path: Path, redis_url: str) -> None:
    """Where the first partition's stream should be lies something else."""
    client, bus = redis.Redis.from_url(redis_url), bus_at(redis_url)
    client.set(RedisKeys("us:").stream(EXCHANGES, 0), "not a stream")
    with carrying(tmp_path, bus) as producer:
        eventually(lambda: came(bus, 1))
        eventually(lambda: not producer.up)
        assert producer.pending() == 1
        client.delete(RedisKeys("us:").stream(EXCHANGES, 0))
        eventually(lambda: came(bus, 0))
        eventually(lambda: producer.up)


def test_what_comes_soon_after_a_round_goes_in_one_call_with_what_follows(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second event comes while the first is on its way, four more later; closing ends the wait for company."""
    monkeypatch.setattr("feedback.outbox.producer.ROUND_SECONDS", 3600.0)
    spool = Spool(tmp_path / "spool.sqlite", 1 << 20)
    bus = bus_at(redis_url)

    def come() -> None:
        spool.append([Entry(EXCHANGES, 0, "s", b"{}")])

    sizes = sizes_of_calls(bus, monkeypatch, lambda: come() if len(sizes) == 1 else None)
    producer = Producer(spool, bus, keep=6.0)
    come()
    producer.start()
    eventually(lambda: producer.published == 1)
    for _ in range(4):
        come()
        producer.wake()
    producer.close(60)
    assert (sizes, producer.published) == ([1, 5], 6)
    spool.close()


def test_a_backlog_waits_for_no_company(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback.outbox.producer.ROUND_SECONDS", 3600.0)
    monkeypatch.setattr("feedback.outbox.producer.BATCH", 4)
    spool = Spool(tmp_path / "spool.sqlite", 1 << 20)
    bus = bus_at(redis_url)
    sizes = sizes_of_calls(bus, monkeypatch)
    producer = Producer(spool, bus, keep=6.0)
    spool.append([Entry(EXCHANGES, 0, "s", b"{}")] * 10)
    producer.start()
    eventually(lambda: producer.published == 10)
    assert sizes == [4, 4, 2]
    producer.close(1)
    spool.close()


def sizes_of_calls(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None
) -> list[int]:
    """Filled with the number of events of each call that publishes; `meanwhile` is called during each."""
    sizes: list[int] = []
    publish = bus.publish

    def noted(topic: str, partition: int, spool: str, batch: Sequence[Numbered]) -> Published:
        sizes.append(len(batch))
        meanwhile()
        return publish(topic, partition, spool, batch)

    monkeypatch.setattr(bus, "publish", noted)
    return sizes
