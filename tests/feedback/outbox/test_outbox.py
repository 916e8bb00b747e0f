"""The outbox never makes a caller wait, counts what it drops, and survives a bus that is away."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus
from feedback.events import EXCHANGES, KPIS, Exchange, Kpi
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.store.config import RedisConfig
from feedback.store.server import RedisServer, free_port
from tests.feedback.factory import exchange
from tests.waiting import eventually
from understudy.errors import Conflict, Unavailable

Make = Callable[..., Outbox]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Outbox] = []

    def build(url: str, assemble: Any = None, name: str = "gateway", start: bool = True, **config: Any) -> Outbox:
        outbox = Outbox(tmp_path, name, bus_at(url), OutboxConfig(**config), assemble)
        if start:
            outbox.start()
            made.append(outbox)
        return outbox

    yield build
    for outbox in made:
        outbox.close(0.2)


def bus_at(url: str) -> Bus:
    return open_bus(BusConfig(url=url), RedisConfig())


def nowhere() -> str:
    return f"redis://127.0.0.1:{free_port()}/0"


def read(url: str, topic: str = EXCHANGES) -> list[Exchange]:
    bus = bus_at(url)
    return [Exchange.model_validate_json(e.value) for p in range(2) for e in bus.read(topic, p, "", 999)]


def test_events_reach_the_bus_redacted(make: Make, redis_url: str, tmp_path: Path) -> None:
    outbox = make(redis_url)
    outbox.put(exchange(1, reply="请写信到 secret.name@example.com"))
    eventually(lambda: len(read(redis_url)) == 1)
    (event,) = read(redis_url)
    assert (event.reply, event.redacted) == ("请写信到 <EMAIL_1>", True)
    for file in tmp_path.iterdir():
        assert b"secret.name" not in file.read_bytes()


def test_raw_items_are_assembled_in_the_thread(make: Make, redis_url: str) -> None:
    def assemble(raw: int) -> Exchange | None:
        if raw == 2:
            raise ValueError("broken")
        return exchange(raw) if raw else None

    outbox = make(redis_url, assemble)
    for raw in (0, 1, 2, 3):
        assert outbox.put(raw)
    eventually(lambda: len(read(redis_url)) == 2)
    assert outbox.stats()["dropped"]["assemble"] == 1


def test_a_full_queue_drops_and_counts(make: Make) -> None:
    outbox = make(nowhere(), start=False, queue=5, queue_bytes=1000)
    assert [outbox.put(exchange(n)) for n in range(7)] == [True] * 5 + [False] * 2
    assert outbox.stats()["dropped"]["queue"] == 2
    assert not make(nowhere(), start=False, name="other", queue_bytes=10).put(exchange(1), size=11)


def test_events_wait_on_disk_for_a_bus_that_is_away(make: Make, tmp_path: Path) -> None:
    port = free_port()
    outbox = make(f"redis://127.0.0.1:{port}/0")
    for n in range(50):
        outbox.put(exchange(n))
    eventually(lambda: outbox.stats()["stored"] == 50)
    eventually(lambda: not outbox.stats()["bus_up"])
    assert outbox.stats()["pending"] == 50
    server = RedisServer(tmp_path / "redis", port=port)
    server.start()
    try:
        eventually(lambda: len(read(server.url)) == 50)
        assert outbox.stats()["dropped"] == {"queue": 0, "spool": 0, "assemble": 0, "size": 0}
    finally:
        server.stop()


def test_a_kafka_that_is_away_holds_up_neither_callers_nor_the_spool(make: Make) -> None:
    outbox = make(f"kafka://127.0.0.1:{free_port()}", spool_bytes=200_000)
    accepted = sum(outbox.put(exchange(n)) for n in range(2000))
    eventually(lambda: outbox.stats()["stored"] + outbox.stats()["dropped"]["spool"] == accepted, 30)
    stats = outbox.stats()
    assert stats["dropped"]["queue"] == 2000 - accepted
    assert 0 < stats["stored"] < accepted
    assert stats["spool_bytes"] <= 200_000
    assert stats["pending"] == stats["stored"]


def test_another_process_goes_on_with_the_spool(make: Make, tmp_path: Path, redis_url: str) -> None:
    first = Outbox(tmp_path, "gateway", bus_at(nowhere()), OutboxConfig())
    first.start()
    for n in range(10):
        first.put(exchange(n))
    first.close(0.3)
    make(redis_url)
    eventually(lambda: len(read(redis_url)) == 10)
    assert len({e.id for e in read(redis_url)}) == 10


def test_the_spool_keeps_to_its_bytes(make: Make) -> None:
    outbox = make(nowhere(), spool_bytes=5000)
    for n in range(30):
        outbox.put(exchange(n))
    eventually(lambda: outbox.stats()["stored"] + outbox.stats()["dropped"]["spool"] == 30)
    assert 0 < outbox.stats()["stored"] < 30
    assert outbox.stats()["spool_bytes"] <= 5000
    with pytest.raises(Unavailable, match="full"):
        outbox.put_durable(Kpi(id="k", session="s", at=1.0, kpi="rating", value=1.0, target="x" * 5000))


def test_published_events_leave_the_spool(make: Make, redis_url: str) -> None:
    outbox = make(redis_url, keep_seconds=0.1)
    outbox.put(exchange(1))
    eventually(lambda: outbox.stats()["published"] == 1)
    eventually(lambda: outbox.stats()["spool_bytes"] == 0)
    assert outbox.stats()["pending"] == 0


def test_too_large_events_are_dropped_and_counted(make: Make, redis_url: str) -> None:
    outbox = make(redis_url, event_bytes=2000)
    outbox.put(exchange(1, reply="长" * 2000))
    outbox.put(exchange(2))
    eventually(lambda: len(read(redis_url)) == 1)
    assert outbox.stats()["dropped"]["size"] == 1


def test_what_is_too_large_is_not_redacted_first(make: Make, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    redacted: list[str] = []
    texts = {"long": "长" * 2000, "wrapped": "short"}
    outbox = make(redis_url, lambda raw: exchange(1, reply=texts[raw]), event_bytes=2000)
    redact = outbox._redaction.exchange

    def noted(event: Exchange) -> Exchange:
        redacted.append(event.reply)
        return redact(event)

    monkeypatch.setattr(outbox._redaction, "exchange", noted)
    for raw in ("long", "wrapped"):
        outbox.put(raw, size=6000)
    eventually(lambda: len(read(redis_url)) == 1)
    assert redacted == ["short"]
    assert outbox.stats()["dropped"]["size"] == 1


def test_the_gateways_of_a_state_directory_give_a_session_one_pseudonym(
    make: Make, redis_url: str, tmp_path: Path
) -> None:
    names = ("gateway", "gateway-2")
    for n, name in enumerate(names):
        make(redis_url, name=name).put(exchange(n, session="wang@example.cn"))
    eventually(lambda: len(read(redis_url)) == 2)
    assert len({event.session for event in read(redis_url)} - {"wang@example.cn"}) == 1
    assert (tmp_path / "pseudonym.key").stat().st_mode & 0o777 == 0o600


def test_a_durable_event_is_on_disk_when_the_call_returns(make: Make, tmp_path: Path) -> None:
    outbox = make(nowhere())
    outbox.put_durable(Kpi(id="k1", session="s", at=1.0, kpi="rating", value=5.0, target="r"))
    rows = sqlite3.connect(tmp_path / "gateway.db").execute("SELECT topic, value FROM events").fetchall()
    assert [(topic, b'"k1"' in value) for topic, value in rows] == [(KPIS, True)]


def test_the_thread_outlives_any_fault_of_the_spool(
    make: Make, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = make(redis_url)
    with monkeypatch.context() as broken:
        broken.setattr(outbox._spool, "append", lambda entries: [][0])
        with pytest.raises(Unavailable):
            outbox.put_durable(Kpi(id="k1", session="s", at=1.0, kpi="rating", value=5.0))
    outbox.put_durable(Kpi(id="k2", session="s", at=1.0, kpi="rating", value=5.0))
    assert outbox.stats()["alive"]
    assert outbox.stats()["dropped"]["spool"] == 1


def test_one_process_holds_a_spool(make: Make, redis_url: str) -> None:
    make(redis_url)
    with pytest.raises(Conflict, match="held by another process"):
        make(redis_url)


def test_a_damaged_spool_is_put_aside(make: Make, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"this is not a database, " * 100)
    outbox = make(redis_url)
    outbox.put(exchange(1))
    eventually(lambda: len(read(redis_url)) == 1)
    assert len(list(tmp_path.glob("gateway.damaged-*"))) == 1


def test_a_bus_that_forgot_its_last_moments_gets_them_again(make: Make, redis_url: str) -> None:
    import redis

    outbox = make(redis_url)
    for n in range(10):
        outbox.put(exchange(n, session="s"))
    eventually(lambda: len(read(redis_url)) == 10)
    redis.Redis.from_url(redis_url).flushall()
    outbox.put(exchange(10, session="s"))
    eventually(lambda: len(read(redis_url)) == 11)
    assert [e.response_id for e in read(redis_url)] == [f"resp-{n}" for n in range(11)]


def test_a_bus_that_lost_what_the_spool_no_longer_has_goes_on(make: Make, redis_url: str) -> None:
    import redis

    outbox = make(redis_url, keep_seconds=0.05)
    outbox.put(exchange(1, session="s"))
    eventually(lambda: outbox.stats()["spool_bytes"] == 0 and outbox.stats()["published"] == 1)
    redis.Redis.from_url(redis_url).flushall()
    outbox.put(exchange(2, session="s"))
    eventually(lambda: [e.response_id for e in read(redis_url)] == ["resp-2"])
    assert outbox.stats()["bus_up"]


def test_text_that_is_no_text_is_dropped_and_counted(make: Make, redis_url: str) -> None:
    def assemble(raw: str) -> Exchange:
        return exchange(1).model_copy(update={"reply": raw})

    outbox = make(redis_url, assemble)
    outbox.put("\ud83d")
    outbox.put("完整")
    eventually(lambda: len(read(redis_url)) == 1)
    assert outbox.stats()["dropped"]["assemble"] == 1
