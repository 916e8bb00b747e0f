"""The spool: events on disk, numbered by topic and partition, until the bus has kept them long enough.

A file of SQLite in WAL mode with full sync, so that a commit survives the machine. One process holds
a spool at a time; its threads share a connection that writes, under a lock, and one that reads, under another:
what is read for the bus makes no commit wait. What hinders SQLite for a while (a
full disk, another program's lock) is an error to whoever calls, and gone when it is gone; only a file
that SQLite calls damaged is put aside, whole, and a new one begun. On a full volume a reserve is given
back, so that what the bus has can be deleted, and its room be used anew.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from feedback.bus.protocol import Numbered, Place
from feedback.outbox.reserve import Reserve
from understudy.errors import Conflict
from understudy.ids import random_id
from understudy.process.lock import take

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (spool TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counters (
  topic TEXT, part INTEGER, last INTEGER NOT NULL, PRIMARY KEY (topic, part)
);
CREATE TABLE IF NOT EXISTS events (
  topic TEXT, part INTEGER, number INTEGER, key TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (topic, part, number)
);
"""
"""Values lie in a tree of their own in the order of their coming: in the key's, whose pages are to hold four rows each,
most values would take a page of overflow. Files of earlier releases, which have them there, are used as they are."""
OVERHEAD = 64
"""Bytes counted for an event beside its value."""
BATCH_BYTES = 4 << 20
BUSY_SECONDS = 10.0
"""How long SQLite waits for another program's lock."""
DELETED, DELETED_BYTES = 200, 1 << 20
"""Events deleted in one transaction, and their bytes but for the last: its log must fit into the reserve."""
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
T = TypeVar("T")


HELD_SECONDS = 10.0
"""How long a spool is waited for in which the process of a gateway before this one may store its last events."""
LOOK_SECONDS = 0.05


def once_free(opened: Callable[[], T], until: float, wait: Callable[[float], object] = time.sleep) -> T:
    """What `opened` gives once no other process holds its spool. `wait` ends it by anything true.

    Raises:
        Conflict: one does until the monotonic time `until`, or until the wait was ended.
    """
    while True:
        try:
            return opened()
        except Conflict:
            if time.monotonic() > until or wait(LOOK_SECONDS):
                raise


@dataclass(frozen=True, slots=True)
class Entry:
    """An event on its way into the spool."""

    topic: str
    partition: int
    key: str
    value: bytes


class Spool:
    """Events in the file `path`; `limit` bytes of them at most.

    The file is opened when it is first used, and tried again with each call until that succeeds: all
    methods but `close` raise sqlite3.Error meanwhile.

    Raises:
        Conflict: another process holds it.
    """

    def __init__(self, path: Path, limit: int) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._limit = limit
        self._mutex = threading.Lock()
        self._reading = threading.Lock()
        self._turn = threading.Lock()  # whoever waits for the mutex with it goes before the next part of a deletion
        self._lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if not take(self._lock, wait=False):
            os.close(self._lock)
            raise Conflict(f"the spool {path} is held by another process; give each its own name")
        self._db: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reserve = Reserve(path.with_suffix(".reserve"))
        self.id = ""
        """Identity of the file; empty until it is open."""
        self.bytes = 0
        """Bytes held now."""
        self.last: dict[Place, int] = {}
        """Last number given out, by topic and partition. Replaced, never changed: any thread may read it."""

    def append(self, entries: Sequence[Entry]) -> list[bool]:
        """Number and store `entries` in one durable transaction; False for each that did not fit."""
        with self._turn, self._mutex, self._opened() as db:
            stored, size, last = [], self.bytes, dict(self.last)
            for entry in entries:
                need = len(entry.value) + OVERHEAD
                stored.append(size + need <= self._limit)
                size += need if stored[-1] else 0
            db.execute("BEGIN IMMEDIATE")
            _insert(db, [entry for entry, fits in zip(entries, stored, strict=True) if fits], last)
            db.commit()
            self.bytes, self.last = size, last
        return stored

    def bury(self, topic: str, partition: int, number: int, letters: Sequence[Entry]) -> None:
        """Put `letters` in the place of an event, of which the number alone stays; beyond the limit, where needed."""
        where = "WHERE topic = ? AND part = ? AND number = ?"
        place = (topic, partition, number)
        with self._mutex, self._opened() as db:
            last = dict(self.last)
            db.execute("BEGIN IMMEDIATE")
            row = db.execute(f"SELECT LENGTH(value) FROM events {where}", place).fetchone()
            db.execute(f"UPDATE events SET value = x'' {where}", place)
            _insert(db, letters, last)
            db.commit()
            self.bytes += sum(len(letter.value) + OVERHEAD for letter in letters) - (row[0] if row else 0)
            self.last = last

    def places(self) -> list[tuple[str, int, int]]:
        """(topic, partition, last number given out) of all partitions ever used."""
        if self._db is None:
            with self._mutex:
                self._opened()
        return sorted((*place, number) for place, number in self.last.items())

    def first(self, topic: str, partition: int) -> int:
        """The lowest number held, or the one that is given out next."""
        query = "SELECT MIN(number) FROM events WHERE topic = ? AND part = ?"
        with self._reads() as db:
            following = self.last.get((topic, partition), 0) + 1  # before the look: what is stored after it is found
            found = db.execute(query, (topic, partition)).fetchone()[0]
        return int(found) if found is not None else following

    def batch(self, topic: str, partition: int, after: int, limit: int) -> list[Numbered]:
        """Up to `limit` events (4 MiB, but one at least) with numbers above `after`, in order."""
        query = (
            "SELECT number, key, value FROM events WHERE topic = ? AND part = ? AND number > ? ORDER BY number LIMIT ?"
        )
        taken: list[Numbered] = []
        size = 0
        with self._reads() as db:
            for number, key, value in db.execute(query, (topic, partition, after, limit)):
                size += len(value)
                if taken and size > BATCH_BYTES:
                    break
                taken.append(Numbered(number, key, value))
        return taken

    def delete(self, topic: str, partition: int, upto: int) -> None:
        """Forget the events up to number `upto`; on a full volume with the help of the reserve.

        Some at a time: what waits to be stored is stored in between.
        """
        left = True
        while left:
            with self._turn:
                self._mutex.acquire()
            try:
                left = self._with_room(lambda: self._delete_some(topic, partition, upto))
            finally:
                self._mutex.release()
        with self._mutex:
            self._reserve.take()

    def _delete_some(self, topic: str, partition: int, upto: int) -> bool:
        """Delete the first of them; whether others may be left."""
        chosen = "WHERE topic = ? AND part = ? AND number <= ? ORDER BY number LIMIT ?"
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            rows = db.execute(
                f"SELECT number, LENGTH(value) + {OVERHEAD} FROM events {chosen}", (topic, partition, upto, DELETED)
            ).fetchall()
            last = size = 0
            for number, bytes_ in rows:
                last, size = number, size + bytes_
                if size >= DELETED_BYTES:
                    break
            db.execute("DELETE FROM events WHERE topic = ? AND part = ? AND number <= ?", (topic, partition, last))
            db.commit()
        self.bytes -= size
        return size >= DELETED_BYTES or len(rows) == DELETED

    def _with_room(self, act: Callable[[], T]) -> T:
        """`act`, once more with the room of the reserve where the volume has none."""
        try:
            return act()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in NO_ROOM or not self._reserve.give():
                raise
            log.error("no room for the spool %s (%s): its reserve was given back", self._path, error)
            return act()

    def close(self) -> None:
        """Close the file; another process may take the spool. Closing it again does nothing."""
        with self._reading, self._mutex:
            for db in (self._reader, self._db):
                if db is not None:
                    db.close()
            if self._lock >= 0:
                os.close(self._lock)
            self._lock = -1

    @contextlib.contextmanager
    def _reads(self) -> Iterator[sqlite3.Connection]:
        with self._reading:
            if self._reader is None:
                with self._mutex:
                    self._opened()
                self._reader = self._connected()
            yield self._reader

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                db = self._with_room(self._prepared)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in DAMAGE:
                    raise
                aside = _put_aside(self._path)
                log.error("the spool %s is damaged (%s); moved to %s, beginning a new one", self._path, error, aside)
                db = self._prepared()
            self._db = db
            self._reserve.take()
        return self._db

    def _prepared(self) -> sqlite3.Connection:
        db = self._connected()
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(SCHEMA)
            self.id = _identity(db)
            self.bytes = int(db.execute(f"SELECT TOTAL(LENGTH(value) + {OVERHEAD}) FROM events").fetchone()[0])
            self.last = {(topic, part): last for topic, part, last in db.execute("SELECT * FROM counters")}
        except sqlite3.Error:
            db.close()
            raise
        return db


def _insert(db: sqlite3.Connection, entries: Sequence[Entry], last: dict[Place, int]) -> None:
    """Number and store entries; `last` is changed with it.

    Two statements whatever their number: each lets go of the interpreter, and waits for it again while others compute.
    """
    if not entries:
        return
    rows: list[object] = []
    for entry in entries:
        place = (entry.topic, entry.partition)
        last[place] = last.get(place, 0) + 1
        rows += (*place, last[place], entry.key, entry.value)
    db.execute(f"INSERT INTO events VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(entries))}", rows)
    places = dict.fromkeys((entry.topic, entry.partition) for entry in entries)
    counted = [part for place in places for part in (*place, last[place])]
    new = ", ".join(["(?, ?, ?)"] * len(places))
    db.execute(
        f"INSERT INTO counters VALUES {new} ON CONFLICT (topic, part) DO UPDATE SET last = excluded.last", counted
    )


def _identity(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT spool FROM identity").fetchone()
    if row is None:
        row = (random_id(),)
        db.execute("INSERT INTO identity VALUES (?)", row)
    return str(row[0])


def _put_aside(path: Path) -> Path:
    """Rename the file and what SQLite keeps beside it, so that all of it can be looked at together."""
    aside = path.with_suffix(f".damaged-{time.time_ns()}")
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return aside
