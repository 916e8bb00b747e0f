"""Every row of a tenant once: that of Redis, else that of the newest file; memory does not depend on their number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from feedback.rows.files import RowFiles, Spilled, installed
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from understudy.errors import Unavailable

COUNT = 1000


def tenants(client: Client, keys: RedisKeys) -> list[str]:
    """Those of whom there are rows.

    Raises:
        Unavailable: Redis is away.
    """
    head = keys.rows.encode()
    with redis_errors():
        held = {key[len(head) :] for key in client.hkeys(keys.kpi_bytes) if key.startswith(head)}
        return sorted(name.decode() for name in held | set(client.hkeys(keys.spilled)))


def every_row(client: Client, keys: RedisKeys, files: RowFiles | None, tenant: str) -> Iterator[tuple[str, bytes]]:
    """(unit, its row as text). Workers may go on: a row that moves meanwhile is met in the place that is read later.

    Which units came is noted in a temporary file, since a scan of Redis may name one twice.

    Raises:
        Unavailable: Redis is away, or spilled rows cannot be read.
    """
    with closing(_UnitsMet()) as seen:
        yield from _of_redis(client, keys, tenant, seen)
        yield from _of_files(client, keys, files, tenant, seen)


def _of_redis(client: Client, keys: RedisKeys, tenant: str, seen: _UnitsMet) -> Iterator[tuple[str, bytes]]:
    cursor, first = 0, True
    while cursor or first:
        first = False
        with redis_errors():
            cursor, page = client.hscan(f"{keys.rows}{tenant}", cursor, count=COUNT)
        for unit, text in page.items():
            if seen.new(unit.decode()):
                yield unit.decode(), text


def _of_files(
    client: Client, keys: RedisKeys, files: RowFiles | None, tenant: str, seen: _UnitsMet
) -> Iterator[tuple[str, bytes]]:
    """Newest first; again where rows were spilled while this one read."""
    before = ""
    while True:
        with redis_errors():
            spilled = Spilled.read(client.hget(keys.spilled, tenant))
        if spilled.text == before or not spilled.files:
            return
        if files is None or not installed():
            raise Unavailable("spilled rows of users cannot be read here: install the extra `experiments`")
        before = spilled.text
        for file in reversed(spilled.files):
            for page in files.every(tenant, file):
                yield from ((unit, text) for unit, text in page if seen.new(unit))


class _UnitsMet:
    """A set of texts in a file without a name, which goes with this process at the latest."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute("PRAGMA synchronous = OFF")
        self._base.execute("CREATE TABLE seen (unit TEXT PRIMARY KEY) WITHOUT ROWID")
        self._base.execute("BEGIN")

    def new(self, text: str) -> bool:
        """Whether it was not there; it is from now on."""
        return self._base.execute("INSERT OR IGNORE INTO seen VALUES (?)", (text,)).rowcount == 1

    def close(self) -> None:
        """Give its room back."""
        self._base.close()
