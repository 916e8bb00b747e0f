"""What Redis holds too much of goes into files, the rows that changed longest ago first; and files are kept few.

A file is written whole before Redis names it, and a row leaves Redis only while it is what the file says. So one killed
at any instant leaves a row in Redis, or in a file, or the same one in both, of which that in Redis stands. The sums of
users hold their rows in all three cases. Two that spill at once: the second finds that the files are others by now.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from feedback.rows.files import RowFiles, Spilled, SpillFile
from feedback.rows.packed import changed
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import source

log = logging.getLogger("understudy.rows")
ROW = 90
"""Bytes that Redis takes for a row beside its text, as in `rows.lua`."""
BEGIN, END = 7 / 8, 3 / 4
"""Shares of a bound at which rows begin to be spilled, and at which that ends."""
PART = 16 << 20
"""Bytes of rows that one file takes."""
SAMPLE = 2
"""Of so many times as many rows as must go the oldest do; all of them could not be looked at each time."""
FAN = 8
"""Files of a level of which one of the next is made: a row is written again once a level."""
COUNT = 1000


@dataclass(frozen=True, slots=True)
class RowBounds:
    """Bytes of Redis for the rows of one tenant and of all, and of the disk for those of one tenant."""

    tenant: int
    whole: int
    disk: int


class Spill:
    """What keeps Redis below the bounds; one worker calls it, and a second one does no harm."""

    def __init__(self, client: Client, keys: RedisKeys, files: RowFiles, bounds: RowBounds) -> None:
        self._redis = client
        self._keys = keys
        self._files = files
        self._bounds = bounds
        self._cursors: dict[str, int] = {}
        self._script = client.register_script(source("spill"))

    def step(self) -> int:
        """Spill a file's worth of each tenant that has too much, merge and sweep; returns the rows that left Redis.

        Raises:
            Unavailable: Redis is away, or a file that it names; call again later.
            OSError: a file cannot be written; nothing changed.
        """
        taken = 0
        for tenant, surplus in self._over():
            taken += self._spill(tenant, min(surplus, PART))
        for tenant in self._tenants():
            self._tidy(tenant)
        return taken

    def spilled(self, tenant: str) -> Spilled:
        """The files of a tenant."""
        with redis_errors():
            return Spilled.read(self._redis.hget(self._keys.spilled, tenant))

    def _over(self) -> list[tuple[str, int]]:
        """Tenants beyond a bound, and how many bytes of theirs must go."""
        head = self._keys.rows.encode()
        with redis_errors():
            told = self._redis.hgetall(self._keys.kpi_bytes)
        held = {key[len(head) :].decode(): int(n) for key, n in told.items() if key.startswith(head)}
        over = {t: round(n - self._bounds.tenant * END) for t, n in held.items() if n > self._bounds.tenant * BEGIN}
        whole = int(told.get(b"rows") or 0)
        if not over and held and whole > self._bounds.whole * BEGIN:
            over[max(held, key=lambda tenant: held[tenant])] = round(whole - self._bounds.whole * END)
        return list(over.items())

    def _tenants(self) -> list[str]:
        with redis_errors():
            return [field.decode() for field in self._redis.hkeys(self._keys.spilled)]

    def _spill(self, tenant: str, surplus: int) -> int:
        spilled = self.spilled(tenant)
        rows = self._coldest(tenant, surplus)
        if not rows:
            return 0
        file = self._files.write(tenant, rows)
        told = spilled.following((*spilled.files, file))
        if not self._name(tenant, spilled, told):
            self._files.remove(tenant, file)
            return 0
        taken = 0
        pairs = list(rows.items())
        for at in range(0, len(pairs), COUNT):
            part = [text for pair in pairs[at : at + COUNT] for text in pair]
            with redis_errors():
                done = int(self._call("take", tenant, told.text, ROW, *part))
            if done < 0:
                break  # somebody made other files; what is left of these rows lies in both places
            taken += done
        log.info("%d rows of users of %s went into %s", taken, tenant, file.name)
        return taken

    def _coldest(self, tenant: str, surplus: int) -> dict[str, bytes]:
        """The rows that changed longest ago, of a sample that goes on where the last one ended."""
        seen: dict[str, tuple[int, bytes]] = {}
        size, first = 0, True
        cursor = self._cursors.get(tenant, 0)
        while size < SAMPLE * surplus and (first or cursor):
            with redis_errors():
                cursor, page = self._redis.hscan(f"{self._keys.rows}{tenant}", cursor, count=COUNT)
            first = False
            for unit, text in page.items():
                size += _bytes(unit, text) if unit.decode() not in seen else 0
                seen[unit.decode()] = (changed(text), text)
        self._cursors[tenant] = cursor
        found: dict[str, bytes] = {}
        for unit, (_, text) in sorted(seen.items(), key=lambda item: item[1][0]):
            if surplus <= 0:
                break
            found[unit] = text
            surplus -= _bytes(unit.encode(), text)
        return found

    def _tidy(self, tenant: str) -> None:
        """Strike out files that are gone, drop what exceeds the disk's bound, merge, and sweep."""
        spilled = self.spilled(tenant)
        lost = self._lost(tenant, spilled)
        if lost:
            log.error("spilled rows of %s are gone: %s", tenant, ", ".join(one.name for one in lost))
            left = [one for one in spilled.files if one not in lost]
            self._name(tenant, spilled, spilled.following(left), "kpi_rows_lost", sum(one.rows for one in lost))
            spilled = self.spilled(tenant)
        while spilled.files and sum(one.bytes for one in spilled.files) > self._bounds.disk:
            oldest, *newer = spilled.files
            log.warning("%d spilled rows of %s are dropped: `kpis.spill_bytes`", oldest.rows, tenant)
            if not self._name(tenant, spilled, spilled.following(newer), "kpi_rows_dropped", oldest.rows):
                return
            spilled = self.spilled(tenant)
        for group in _mergeable(spilled.files):
            merged = self._files.merge(tenant, group)
            at = spilled.files.index(group[0])
            files = (*spilled.files[:at], merged, *spilled.files[at + len(group) :])
            if not self._name(tenant, spilled, spilled.following(files)):
                self._files.remove(tenant, merged)
            break  # the rest at the next step
        self._files.sweep(tenant, {one.name for one in self.spilled(tenant).files})

    def _lost(self, tenant: str, spilled: Spilled) -> list[SpillFile]:
        """Files that are not there although the tenant's folder is; where that is not, somebody else may have it."""
        folder = self._files.of(tenant)
        if not spilled.files or not folder.is_dir():
            return []
        return [one for one in spilled.files if not (folder / one.name).is_file()]

    def _name(self, tenant: str, old: Spilled, new: Spilled, counter: str = "", by: int = 0) -> bool:
        with redis_errors():
            return bool(self._call("name", tenant, old.text, new.text, counter, by))

    def _call(self, verb: str, tenant: str, *given: str | bytes | int) -> int:
        keys = [self._keys.spilled, f"{self._keys.rows}{tenant}", self._keys.kpi_bytes, self._keys.counters]
        return int(self._script(keys, [verb, tenant, *given]))


def _bytes(unit: bytes, text: bytes) -> int:
    return len(unit) + len(text) + ROW


def _mergeable(files: Sequence[SpillFile]) -> Iterator[list[SpillFile]]:
    """Runs of `FAN` neighbours of one level, the oldest of a level first."""
    for level in sorted({one.level for one in files}):
        same = [one for one in files if one.level == level]
        if len(same) >= FAN:
            yield same[:FAN]
