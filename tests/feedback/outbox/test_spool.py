"""What is in the spool stays there, whatever hinders SQLite; only damage begins a new one, beside the old."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.events import EXCHANGES
from feedback.outbox import spool as module
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.outbox.spool import Entry, Spool
from feedback.store.config import RedisConfig
from tests.feedback.factory import exchange
from tests.waiting import eventually
from understudy.errors import Unavailable

LIMIT = 1 << 20


def entry(n: int) -> Entry:
    return Entry(EXCHANGES, 0, "s", b"event %d" % n)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program's exclusive lock on the file."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.close()


def killed(running: Path) -> Path:
    """A copy of an open spool as a kill would leave it."""
    left = running.with_name("left.db")
    for suffix in ("", "-wal"):
        shutil.copy(f"{running}{suffix}", f"{left}{suffix}")
    assert Path(f"{left}-wal").stat().st_size > 0
    return left


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The file of a spool whose process was killed: its events are still beside it, in the WAL."""
    running = Spool(tmp_path / "running.db", LIMIT)
    running.append([entry(n) for n in range(200)])
    left = killed(tmp_path / "running.db")
    running.close()
    return left


def held(spool: Spool) -> int:
    return len(spool.batch(EXCHANGES, 0, 0, 999))


def test_a_lock_of_another_program_loses_nothing(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    with locked(left):
        spool = Spool(left, LIMIT)
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                spool.append([entry(200)])
    assert spool.append([entry(200)]) == [True]
    assert (held(spool), spool.last) == (201, {(EXCHANGES, 0): 201})
    assert not list(left.parent.glob("*damaged*"))
    spool.close()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CANTOPEN])
def test_a_full_disk_loses_nothing(left: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def full(path: Path, **_: object) -> sqlite3.Connection:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = code
        raise error

    spool = Spool(left, LIMIT)
    with monkeypatch.context() as broken:
        broken.setattr(sqlite3, "connect", full)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            spool.places()
    assert held(spool) == 200
    spool.close()


def test_a_damaged_file_is_put_aside_with_all_that_it_still_holds(tmp_path: Path) -> None:
    running = tmp_path / "running.db"
    spool = Spool(running, LIMIT)
    spool.append([Entry(EXCHANGES, 0, "s", b"x" * 3000) for _ in range(50)])
    spool.close()
    spool = Spool(running, LIMIT)
    spool.append([Entry(EXCHANGES, 0, "s", b"the latest")])
    left = killed(running)
    spool.close()
    with left.open("r+b") as file:
        file.seek(16_384)
        file.write(b"\xff" * (left.stat().st_size - 16_384))
    again = Spool(left, LIMIT)
    assert again.places() == []
    assert again.append([entry(1)]) == [True]
    assert held(again) == 1
    assert b"the latest" in b"".join(path.read_bytes() for path in tmp_path.glob("left.damaged-*"))
    again.close()


def test_a_gateway_serves_meanwhile_and_counts_what_it_could_not_keep(
    left: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    bus = open_bus(BusConfig(url=redis_url), RedisConfig())
    with locked(left):
        outbox = Outbox(left.parent, "left", bus, OutboxConfig())
        outbox.start()
        assert outbox.put(exchange(1))
        eventually(lambda: outbox.stats()["dropped"]["spool"] == 1)
        with pytest.raises(Unavailable, match="locked"):
            outbox.put_durable(exchange(2))
    outbox.put_durable(exchange(3))
    eventually(lambda: outbox.stats()["published"] == 201)
    assert outbox.stats()["pending"] == 0
    outbox.close()


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    """As SQLite says it: 2 is FULL, which syncs the log at each commit. Only a power cut would show it otherwise."""
    spool = Spool(tmp_path / "spool.sqlite", 1 << 20)
    assert spool._opened().execute("PRAGMA synchronous").fetchone() == (2,)
    assert spool._opened().execute("PRAGMA journal_mode").fetchone() == ("wal",)
    spool.close()


def test_events_are_committed_between_the_parts_of_a_long_deletion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DELETED", 10)
    spool = Spool(tmp_path / "spool.sqlite", LIMIT)
    spool.append([entry(n) for n in range(200)])
    done, after = threading.Event(), []
    newer = threading.Thread(target=lambda: (spool.append([entry(200)]), done.set()))
    part = spool._delete_some

    def one_part(topic: str, partition: int, upto: int) -> bool:
        if not after:
            newer.start()
            eventually(spool._turn.locked, what="an event that waits to be stored")
        after.append(done.wait(20) if len(after) == 1 else done.is_set())
        return part(topic, partition, upto)

    monkeypatch.setattr(spool, "_delete_some", one_part)
    spool.delete(EXCHANGES, 0, 200)
    newer.join(60)
    assert after[:2] == [False, True], f"the commit waited for all {len(after)} parts"
    assert held(spool) == 1
    spool.close()


def test_numbers_go_on_in_an_empty_spool_that_was_closed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db", LIMIT)
    spool.append([entry(n) for n in range(3)])
    spool.delete(EXCHANGES, 0, 3)
    spool.close()
    again = Spool(tmp_path / "s.db", LIMIT)
    assert again.first(EXCHANGES, 0) == 4
    again.append([entry(3)])
    assert [event.number for event in again.batch(EXCHANGES, 0, 0, 9)] == [4]
    again.close()


def test_what_is_read_for_the_bus_makes_no_commit_wait(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db", LIMIT)
    spool.append([entry(n) for n in range(3)])
    with spool._reads() as reader:
        rows = reader.execute("SELECT number FROM events")
        assert rows.fetchone() == (1,)
        storing = threading.Thread(target=spool.append, args=([entry(3)],), daemon=True)
        storing.start()
        storing.join(30.0)
        assert not storing.is_alive()
        assert [number for (number,) in rows] == [2, 3]
    assert held(spool) == 4
    spool.close()


def test_a_file_of_an_earlier_release_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the values lay in the key's own tree."""
    with monkeypatch.context() as earlier:
        former = module.SCHEMA.replace("number)\n);", "number)\n) WITHOUT ROWID;")
        assert former != module.SCHEMA
        earlier.setattr(module, "SCHEMA", former)
        spool = Spool(tmp_path / "spool.db", LIMIT)
        spool.append([entry(n) for n in range(3)])
        spool.close()
    spool = Spool(tmp_path / "spool.db", LIMIT)
    spool.places()
    held = spool.bytes
    spool.append([entry(3)])
    assert [event.value for event in spool.batch(EXCHANGES, 0, 0, 9)] == [entry(n).value for n in range(4)]
    spool.delete(EXCHANGES, 0, 3)
    assert [event.number for event in spool.batch(EXCHANGES, 0, 0, 9)] == [4]
    assert spool.bytes < held
    spool.close()
