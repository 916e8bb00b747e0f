"""A volume that is really full: what was acknowledged is kept, the newest refused, and the spool drains by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback.events import EXCHANGES
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.outbox.reserve import Reserve
from feedback.outbox.spool import Entry, Spool
from feedback.store.server import RedisServer, free_port
from tests.feedback.factory import exchange
from tests.feedback.outbox.conftest import bus_at
from tests.volumes import fill, small_volume
from tests.waiting import eventually
from understudy.errors import Unavailable

LIMIT = 256 << 20
SIZE = 16 << 20


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    with small_volume(tmp_path / "volume", SIZE) as folder:
        yield folder


def entry(n: int, size: int = 3000) -> Entry:
    return Entry(EXCHANGES, 0, "s", b"event %d " % n + b"x" * size)


def filled(spool: Spool, size: int = 3000) -> int:
    """Store events until the volume has no room; returns how many were kept."""
    kept = 0
    while True:
        try:
            spool.append([entry(kept, size)])
        except sqlite3.Error:
            return kept
        kept += 1


def test_a_spool_on_a_full_volume_can_delete_and_be_used_again(volume: Path) -> None:
    spool = Spool(volume / "gateway.db", LIMIT)
    spool.append([entry(0)])
    fill(volume, leave=2 << 20)
    kept = filled(spool)
    assert kept > 50
    assert spool.batch(EXCHANGES, 0, 0, 1)
    spool.delete(EXCHANGES, 0, kept + 1)
    assert (spool.bytes, spool.first(EXCHANGES, 0)) == (0, kept + 2)
    assert all(spool.append([entry(n)]) == [True] for n in range(50))
    spool.close()


def test_events_of_any_size_can_be_deleted_on_a_full_volume(volume: Path) -> None:
    spool = Spool(volume / "gateway.db", LIMIT)
    kept = filled(spool, 100_000)
    assert kept > 60
    spool.delete(EXCHANGES, 0, kept)
    assert (spool.bytes, spool.first(EXCHANGES, 0)) == (0, kept + 1)
    spool.close()


def test_a_gateway_that_starts_on_a_full_volume_finds_its_spool(volume: Path) -> None:
    spool = Spool(volume / "gateway.db", LIMIT)
    spool.append([entry(n) for n in range(20)])
    spool.close()
    fill(volume)
    again = Spool(volume / "gateway.db", LIMIT)
    assert len(again.batch(EXCHANGES, 0, 0, 99)) == 20
    again.delete(EXCHANGES, 0, 20)
    assert again.bytes == 0
    again.close()


def test_it_drains_by_itself_when_the_bus_comes(volume: Path, tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", port=free_port())
    outbox = Outbox(volume, "gateway", bus_at(f"redis://127.0.0.1:{server.port}/0"), OutboxConfig(keep_seconds=0.1))
    outbox.start()
    outbox.put_durable(exchange(0))
    fill(volume, leave=1 << 20)
    asked, refused = 1, 0
    while not refused:
        try:
            asked += 1
            outbox.put_durable(exchange(asked, reply="长" * 3000))
        except Unavailable as error:  # which a slow disk brings, too: then nobody knows yet
            refused += "full" in str(error)
    eventually(lambda: outbox.stats()["stored"] + outbox.stats()["dropped"]["spool"] == asked)
    stored = outbox.stats()["stored"]
    assert 0 < stored < asked
    server.start()
    try:
        eventually(lambda: outbox.stats()["spool_bytes"] == 0, what="draining")
        outbox.put_durable(exchange(9999))
        eventually(lambda: outbox.stats()["pending"] == 0)
        assert sum(bus_at(server.url).lag(EXCHANGES, part, "") for part in range(2)) == stored + 1
    finally:
        outbox.close(0.2)
        server.stop()


def test_a_reserve_takes_a_part_of_the_room_and_gives_it_back(volume: Path) -> None:
    reserve = Reserve(volume / "a.reserve")
    reserve.take()
    assert 1 << 20 < (volume / "a.reserve").stat().st_blocks * 512 <= SIZE // 8
    assert reserve.give()
    assert not reserve.give()
    fill(volume)
    Reserve(volume / "b.reserve").take()
    assert not (volume / "b.reserve").exists() or (volume / "b.reserve").stat().st_blocks * 512 <= 4096
