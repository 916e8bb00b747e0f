"""The outbox never makes a caller wait, counts what it drops, and survives a bus that is away."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from feedback.events import EXCHANGES, KPIS, Exchange, Kpi
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import COMMIT_SECONDS, Outbox
from feedback.outbox.spool import Entry
from feedback.store.server import free_port
from tests.feedback.factory import exchange
from tests.feedback.outbox.conftest import Make, bus_at, nowhere, read
from tests.leaks import contents
from tests.waiting import eventually
from understudy.errors import Conflict, Unavailable


def test_events_reach_the_bus_redacted(make: Make, redis_url: str, tmp_path: Path) -> None:
    outbox = make(redis_url)
    outbox.put(exchange(1, reply="请写信到 secret.name@example.com"))
    eventually(lambda: len(read(redis_url)) == 1)
    (event,) = read(redis_url)
    assert (event.reply, event.redacted) == ("请写信到 <EMAIL_1>", True)
    for raw in contents(tmp_path).values():
        assert b"secret.name" not in raw
        assert "请写信到".encode() not in raw


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


def test_a_kafka_that_is_away_holds_up_neither_callers_nor_the_spool(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback.bus.kafka_cluster.CONNECT_MS", 500)
    outbox = make(f"kafka://127.0.0.1:{free_port()}", spool_bytes=200_000)
    accepted = sum(outbox.put(exchange(n)) for n in range(2000))
    eventually(lambda: outbox.stats()["stored"] + outbox.stats()["dropped"]["spool"] == accepted)
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
    first.close(60.0)
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
    kept = [event for part in range(2) for event in outbox._spool.batch(EXCHANGES, part, 0, 99)]
    assert {outbox.vault.open(Exchange, one.value).response_id for one in kept} == {
        f"resp-{n}" for n in range(outbox.stats()["stored"])
    }, "the newest are refused, and nothing makes room for them"
    with pytest.raises(Unavailable, match="full"):
        outbox.put_durable(Kpi(id="k", session="s", at=1.0, kpi="rating", value=1.0, target="x" * 5000))


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
    (session,) = {event.session for event in read(redis_url)}
    assert "wang" not in session
    assert (tmp_path / "pseudonym.key").stat().st_mode & 0o777 == 0o600


def test_a_durable_event_is_on_disk_when_the_call_returns(make: Make, tmp_path: Path) -> None:
    outbox = make(nowhere())
    outbox.put_durable(Kpi(id="k1", session="s", at=1.0, kpi="rating", value=5.0, target="r"))
    rows = sqlite3.connect(tmp_path / "gateway.db").execute("SELECT topic, value FROM events").fetchall()
    assert [(topic, b'"k1"' in value) for topic, value in rows] == [(KPIS, True)]


def test_who_waits_no_more_takes_nothing_back_and_hinders_nobody(make: Make) -> None:
    outbox = make(nowhere(), start=False)
    given_up = outbox.store(Kpi(id="k1", session="s", at=1.0, kpi="rating", value=5.0))
    assert not given_up.cancel()
    outbox.start()
    outbox.put_durable(Kpi(id="k2", session="s", at=1.0, kpi="rating", value=5.0))
    assert given_up.result(0) is None
    assert (outbox.stats()["stored"], outbox.stats()["alive"]) == (2, True)


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


def test_what_is_slow_to_assemble_delays_no_commit_of_what_was_assembled_before(make: Make) -> None:
    now, before = [0.0], []

    def assemble(raw: int) -> Exchange:
        now[0] += 0.004
        before.append(outbox.stats()["stored"])
        return exchange(raw)

    outbox = make(nowhere(), assemble, start=False, clock=lambda: now[0])
    for n in range(100):
        outbox.put(n)
    outbox.start()
    eventually(lambda: outbox.stats()["stored"] == 100)
    assert max(n - stored for n, stored in enumerate(before)) * 0.004 <= COMMIT_SECONDS
    outbox.close(0.2)


def test_a_slow_disk_gets_fewer_commits_of_more_events(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    now, sizes = [0.0], []

    def assemble(raw: int) -> Exchange:
        now[0] += 0.004
        return exchange(raw)

    outbox = make(nowhere(), assemble, start=False, clock=lambda: now[0])
    append = outbox._spool.append

    def slowly(entries: Sequence[Entry]) -> list[bool]:
        now[0] += 0.1
        sizes.append(len(entries))
        return append(entries)

    monkeypatch.setattr(outbox._spool, "append", slowly)
    for n in range(160):
        outbox.put(n)
    outbox.start()
    eventually(lambda: outbox.stats()["stored"] == 160)
    assert (sizes[0], sizes[1]) == (3, 50)
    outbox.close(0.2)


def test_what_finds_the_thread_idle_is_committed_with_what_follows_and_at_once_where_somebody_waits(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Feedback, a full batch and closing end the wait, each time for all that waits."""
    monkeypatch.setattr("feedback.outbox.outbox.GATHER_SECONDS", 3600.0)
    monkeypatch.setattr("feedback.outbox.outbox.COMMIT_SECONDS", 3600.0)
    monkeypatch.setattr("feedback.outbox.outbox.BATCH", 8)
    outbox = make(nowhere())
    sizes: list[int] = []
    append = outbox._spool.append

    def noted(entries: Sequence[Entry]) -> list[bool]:
        sizes.append(len(entries))
        return append(entries)

    monkeypatch.setattr(outbox._spool, "append", noted)
    for n in range(3):
        outbox.put(exchange(n))
    outbox.put_durable(Kpi(id="k", session="s", at=1.0, kpi="rating", value=5.0))
    assert sizes == [4]
    for n in range(8):
        outbox.put(exchange(n))
    eventually(lambda: outbox.stats()["stored"] == 12)
    for n in range(2):
        outbox.put(exchange(n))
    outbox.close()
    assert sizes == [4, 8, 2]


def test_it_tells_how_long_events_were_in_memory_alone(make: Make) -> None:
    now = [0.0]

    def assemble(raw: int) -> Exchange:
        now[0] += 1.0 if raw == 7 else 0.001
        return exchange(raw)

    outbox = make(nowhere(), assemble, clock=lambda: now[0])
    for n in range(10):
        outbox.put(n)
        eventually(lambda count=n + 1: outbox.stats()["stored"] == count)
    stats = outbox.stats()
    assert stats["commit_p50_seconds"] == 0.001
    assert stats["commit_max_seconds"] == 1.0


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


def test_text_that_is_no_text_is_dropped_and_counted(make: Make, redis_url: str) -> None:
    def assemble(raw: str) -> Exchange:
        return exchange(1).model_copy(update={"reply": raw})

    outbox = make(redis_url, assemble)
    outbox.put("\ud83d")
    outbox.put("完整")
    eventually(lambda: len(read(redis_url)) == 1)
    assert outbox.stats()["dropped"]["assemble"] == 1
