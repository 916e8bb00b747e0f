"""Parquet files of spilled rows: written once, sorted by unit, read by DuckDB within a bounded memory.

pyarrow and DuckDB come with the extra `experiments`; without them nothing is spilled.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import shutil
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.errors import Unavailable
from understudy.files import sync_folder
from understudy.ids import random_id, stable_id

GROUP = 4096
"""Rows of a row group: what one look-up reads of a file."""
MEMORY = "256MB"
"""Of DuckDB; beyond it sorts and joins go to the folder itself."""
PAGE = 2000
GRACE = 600.0
"""Seconds for which a file that nobody names any more stays: somebody may read it, or Redis forget its last moment."""


@dataclass(frozen=True, slots=True)
class SpillFile:
    """One file of a tenant: its name, how often its rows were merged, how many they are, and its bytes."""

    name: str
    level: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Spilled:
    """What Redis says of a tenant: its files, oldest first. `text` is that itself, by which a change is noticed."""

    text: str = ""
    number: int = 0
    files: tuple[SpillFile, ...] = ()

    @classmethod
    def read(cls, text: bytes | str | None) -> Spilled:
        """From the field of Redis; None: nothing was ever spilled."""
        if not text:
            return cls()
        said = text.decode() if isinstance(text, bytes) else text
        raw = json.loads(said)
        return cls(said, int(raw["n"]), tuple(SpillFile(*one) for one in raw["files"]))

    def following(self, files: Sequence[SpillFile]) -> Spilled:
        """The next state, with these files. The Lua side knows "no files" by the last characters."""
        rows = [[one.name, one.level, one.rows, one.bytes] for one in files]
        text = json.dumps({"n": self.number + 1, "files": rows}, separators=(",", ":"))
        return Spilled(text, self.number + 1, tuple(files))


def installed() -> bool:
    """Whether rows can be spilled and read back here."""
    return all(importlib.util.find_spec(name) is not None for name in ("duckdb", "pyarrow"))


class RowFiles:
    """The files below a folder, one folder a tenant. Safe to share between threads; blocks for a look-up's time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._base: Any = None

    def of(self, tenant: str) -> Path:
        """Where a tenant's files lie."""
        return self.folder / stable_id("tenant", tenant)

    def write(self, tenant: str, rows: Mapping[str, bytes], level: int = 0) -> SpillFile:
        """A new file, safe on the disk; nobody knows it yet.

        Raises:
            OSError: it cannot be written.
        """
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
        units = sorted(rows)
        table = arrow.table({"unit": units, "row": arrow.array([rows[unit] for unit in units], arrow.binary())})
        path = self._new(tenant, level)
        parquet.write_table(table, str(path), row_group_size=GROUP, compression="zstd")
        return self._safe(path, level, len(units))

    def find(self, tenant: str, spilled: Spilled, units: Collection[str]) -> dict[str, bytes]:
        """The newest row of each of the units that has one.

        Raises:
            MissingRows: a file is not there, or cannot be read.
        """
        wanted = ", ".join(_quoted(unit) for unit in units)
        rows = self._ask(
            tenant, spilled.files, lambda source: f"SELECT unit, row, filename FROM {source} WHERE unit IN ({wanted})"
        )
        place = {one.name: n for n, one in enumerate(spilled.files)}
        found: dict[str, tuple[int, bytes]] = {}
        for unit, row, file in rows:
            at = place[Path(file).name]
            if unit not in found or found[unit][0] < at:
                found[unit] = (at, bytes(row))
        return {unit: row for unit, (_, row) in found.items()}

    def merge(self, tenant: str, files: Sequence[SpillFile]) -> SpillFile:
        """One new file of several, oldest first: of each unit the newest row.

        Raises:
            MissingRows: one of them is not there, or cannot be read.
        """
        level = max(one.level for one in files) + 1
        path = self._new(tenant, level)
        place = " ".join(f"WHEN {_quoted(str(self.of(tenant) / one.name))} THEN {n}" for n, one in enumerate(files))

        def told(source: str) -> str:
            every = f"(SELECT unit, row, CASE filename {place} END AS place FROM {source})"
            newest = f"(SELECT unit, max(place) AS place FROM {every} GROUP BY unit)"
            rows = f"SELECT unit, row FROM {every} JOIN {newest} USING (unit, place) ORDER BY unit"
            return f"COPY ({rows}) TO {_quoted(str(path))} (FORMAT parquet, ROW_GROUP_SIZE {GROUP}, COMPRESSION zstd)"

        ((count,),) = self._ask(tenant, files, told)
        return self._safe(path, level, int(count))

    def every(self, tenant: str, file: SpillFile) -> Iterator[list[tuple[str, bytes]]]:
        """All rows of one file, some thousands at a time.

        Raises:
            MissingRows: it is not there, or cannot be read.
        """
        parquet = importlib.import_module("pyarrow.parquet")
        path = self.of(tenant) / file.name
        try:
            with parquet.ParquetFile(str(path)) as held:
                for batch in held.iter_batches(PAGE, columns=["unit", "row"]):
                    yield list(zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True))
        except (OSError, importlib.import_module("pyarrow").ArrowException) as error:
            raise MissingRows(path, error) from error

    def sweep(self, tenant: str, named: Collection[str], now: float | None = None) -> int:
        """Remove a tenant's files that nobody names and that are old enough; returns how many."""
        gone = 0
        for path in self.of(tenant).glob("*.parquet"):
            with contextlib.suppress(FileNotFoundError):
                if path.name not in named and (time.time() if now is None else now) - path.stat().st_mtime > GRACE:
                    path.unlink()
                    gone += 1
        return gone

    def forget(self, tenant: str) -> None:
        """Remove all of a tenant."""
        shutil.rmtree(self.of(tenant), ignore_errors=True)

    def remove(self, tenant: str, file: SpillFile) -> None:
        """Remove one that nobody ever named."""
        (self.of(tenant) / file.name).unlink(missing_ok=True)

    def _new(self, tenant: str, level: int) -> Path:
        folder = self.of(tenant)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"{level}-{random_id()}.parquet"

    def _safe(self, path: Path, level: int, rows: int) -> SpillFile:
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sync_folder(path.parent)
        return SpillFile(path.name, level, rows, path.stat().st_size)

    def _ask(self, tenant: str, files: Sequence[SpillFile], told: Any) -> list[tuple[Any, ...]]:
        duckdb = importlib.import_module("duckdb")
        paths = [self.of(tenant) / one.name for one in files]
        source = f"read_parquet([{', '.join(_quoted(str(path)) for path in paths)}], filename = true)"
        with self._lock:
            if self._base is None:
                self._base = duckdb.connect()
                self._base.execute(f"SET threads = 1; SET memory_limit = '{MEMORY}'; SET parquet_metadata_cache = true")
                self._base.execute(f"SET temp_directory = {_quoted(str(self.folder / 'temporary'))}")
            try:
                return list(self._base.execute(told(source)).fetchall())
            except (duckdb.IOException, duckdb.InvalidInputException) as error:
                lost = next((path for path in paths if not path.is_file()), paths[0])
                raise MissingRows(lost, error) from error


class MissingRows(Unavailable):
    """A file of spilled rows that Redis names cannot be read."""

    def __init__(self, path: Path, error: Exception) -> None:
        said = str(error).splitlines()[0]
        super().__init__(f"rows of users spilled to {path} cannot be read ({said}); is the state directory shared?")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
