"""The spool: events on disk, numbered by topic and partition, until the bus has kept them long enough.

A file of SQLite in WAL mode with full sync, so that a commit survives the machine. One process holds
a spool at a time; its threads share one connection under a lock.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from feedback.bus import Numbered
from understudy.errors import Conflict
from understudy.ids import random_id

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (spool TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counters (
  topic TEXT, part INTEGER, last INTEGER NOT NULL, PRIMARY KEY (topic, part)
);
CREATE TABLE IF NOT EXISTS events (
  topic TEXT, part INTEGER, number INTEGER, key TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (topic, part, number)
) WITHOUT ROWID;
"""
COUNT_UP = """
INSERT INTO counters VALUES (?, ?, 1) ON CONFLICT (topic, part) DO UPDATE SET last = last + 1 RETURNING last
"""
OVERHEAD = 64
"""Bytes counted for an event beside its value."""
BATCH_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """An event on its way into the spool."""

    topic: str
    partition: int
    key: str
    value: bytes


class Spool:
    """Events in the file `path`; `limit` bytes of them at most.

    Raises:
        Conflict: another process holds it.
    """

    def __init__(self, path: Path, limit: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._limit = limit
        self._mutex = threading.Lock()
        self._lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise Conflict(f"the spool {path} is held by another process; give each its own name") from None
        self._db = _open(path)
        self.id = self._identity()
        total = self._db.execute(f"SELECT TOTAL(LENGTH(value) + {OVERHEAD}) FROM events").fetchone()[0]
        self.bytes = int(total)
        """Bytes held now."""

    def append(self, entries: Sequence[Entry]) -> list[bool]:
        """Number and store `entries` in one durable transaction; False for each that did not fit."""
        stored: list[bool] = []
        with self._mutex, self._db:
            size = self.bytes
            self._db.execute("BEGIN IMMEDIATE")
            for entry in entries:
                need = len(entry.value) + OVERHEAD
                stored.append(size + need <= self._limit)
                if stored[-1]:
                    size += need
                    place = (entry.topic, entry.partition)
                    number = self._db.execute(COUNT_UP, place).fetchone()[0]
                    row = (*place, number, entry.key, entry.value)
                    self._db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)
            added = size - self.bytes
        with self._mutex:
            self.bytes += added
        return stored

    def places(self) -> list[tuple[str, int, int]]:
        """(topic, partition, last number given out) of all partitions ever used."""
        with self._mutex:
            return self._db.execute("SELECT topic, part, last FROM counters ORDER BY topic, part").fetchall()

    def batch(self, topic: str, partition: int, after: int, limit: int) -> list[Numbered]:
        """Up to `limit` events (4 MiB, but one at least) with numbers above `after`, in order."""
        query = (
            "SELECT number, key, value FROM events WHERE topic = ? AND part = ? AND number > ? ORDER BY number LIMIT ?"
        )
        taken: list[Numbered] = []
        size = 0
        with self._mutex:
            for number, key, value in self._db.execute(query, (topic, partition, after, limit)):
                size += len(value)
                if taken and size > BATCH_BYTES:
                    break
                taken.append(Numbered(number, key, value))
        return taken

    def delete(self, topic: str, partition: int, upto: int) -> None:
        """Forget the events up to number `upto`."""
        where = "WHERE topic = ? AND part = ? AND number <= ?"
        place = (topic, partition, upto)
        with self._mutex, self._db:
            total = f"SELECT TOTAL(LENGTH(value) + {OVERHEAD}) FROM events {where}"
            freed = int(self._db.execute(total, place).fetchone()[0])
            self._db.execute(f"DELETE FROM events {where}", place)
            self.bytes -= freed

    def close(self) -> None:
        """Close the file; another process may take the spool."""
        with self._mutex:
            self._db.close()
        os.close(self._lock)

    def _identity(self) -> str:
        row = self._db.execute("SELECT spool FROM identity").fetchone()
        if row is None:
            row = (random_id(),)
            self._db.execute("INSERT INTO identity VALUES (?)", row)
        return str(row[0])


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _prepared(path)
    except sqlite3.DatabaseError as error:
        aside = path.with_suffix(f".damaged-{int(time.time())}")
        log.error("the spool %s is damaged (%s); moved to %s, beginning a new one", path, error, aside)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.rename(aside)
        return _prepared(path)


def _prepared(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(SCHEMA)
        db.execute("SELECT COUNT(*) FROM counters").fetchone()
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
