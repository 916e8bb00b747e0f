"""Reads experiment files, units and rows for the commands; the one module of `ab` that does I/O."""

from __future__ import annotations

import csv
import gzip
import importlib
import json
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import msgspec
import yaml
from pydantic import ValidationError

from ab.analysis.rows import UnitRow, parse
from ab.experiment import Experiment
from ab.running.phases import AppliedExperiment
from ab.shapley import Game
from understudy.config import describe
from understudy.errors import ConfigError, UsageError
from understudy.yaml_text import load_yaml

E = TypeVar("E", bound=Experiment)


def read_experiment(path: Path) -> Experiment:
    """The experiment in a YAML file.

    Raises:
        ConfigError: unreadable, not YAML, or a wrong key or value, with its path and what is allowed.
    """
    return _read(path, Experiment)


def read_applied(path: Path) -> AppliedExperiment:
    """The experiment in a YAML file, or in what `experiment show --json` printed; raises as `read_experiment`."""
    return _read(path, AppliedExperiment)


def _read(path: Path, kind: type[E]) -> E:
    try:
        raw = load_yaml(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the experiment {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if raw is None:
        raise ConfigError(f"{path} is empty; an experiment needs `id` and `arms`")
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{path}: {describe('experiment', error, kind)}") from None


def read_units(path: Path) -> Iterator[str]:
    """One unit a line, without the line's end; empty lines are skipped.

    Raises:
        UsageError: unreadable or not UTF-8.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                unit = line.rstrip("\r\n")
                if unit:
                    yield unit
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the units {path}: {error}") from None


PART_BYTES = 4 << 20
"""Rows of about so many bytes are held in memory at a time."""
PARTS = 512
PACKED = {".gz": 10, ".parquet": 20}
"""Times that a file of this kind grows when it is read, at most."""
BATCH = 10_000
PACK, UNPACK, HEAD = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(UnitRow), 4
"""Of a row in a temporary file, behind its length in so many bytes; decoding it takes a tenth of reading it anew."""


def read_rows(path: Path, kpis: Collection[str]) -> Iterator[list[UnitRow]]:
    """Rows of a JSONL (plain or .gz), CSV or Parquet file, in parts that each hold all rows of their units.

    A file of more than `PART_BYTES` is first dealt out by unit into temporary files, so that memory does not depend
    on its length; about its size is needed in the temporary folder for that time.

    Raises:
        UsageError: unreadable, or a line that is no row, with its number.
    """
    try:
        size = path.stat().st_size * PACKED.get(path.suffix, 1)
        parts = min(PARTS, -(-size // PART_BYTES))
        if parts <= 1:
            yield list(_rows(path, kpis))
            return
        with ExitStack() as held:
            files = [held.enter_context(tempfile.TemporaryFile()) for _ in range(parts)]
            with _lines(path) as lines:
                for number, line in enumerate(lines, 1):
                    if row := _row(path, number, line, kpis):
                        packed = PACK.encode(row)
                        files[zlib.crc32(row.unit.encode()) % parts].write(len(packed).to_bytes(HEAD) + packed)
            for file in files:
                file.seek(0)
                yield list(_packed(file))
    except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the rows {path}: {error}") from None


def _rows(path: Path, kpis: Collection[str]) -> Iterator[UnitRow]:
    with _lines(path) as lines:
        for number, line in enumerate(lines, 1):
            if row := _row(path, number, line, kpis):
                yield row


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[bytes]]:
    """Rows as lines of JSON, whatever the file holds."""
    if path.suffix == ".parquet":
        yield map(_folded, _of_parquet(path))
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as text:
            yield map(_folded, csv.DictReader(text, strict=True))
    else:
        with cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb") as lines:
            yield iter(lines)


def _of_parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise UsageError("Parquet needs pyarrow: install the extra `experiments`, or give .csv or .jsonl") from None
    try:
        with parquet.ParquetFile(str(path)) as file:
            for batch in file.iter_batches(BATCH):
                yield from batch.to_pylist()
    except arrow.ArrowException as error:
        raise UsageError(f"cannot read the rows {path}: {error}") from None


def _folded(row: Mapping[Any, Any]) -> bytes:
    """A row of a table as a line of JSON: `KPI.yes` and `KPI.of` are a share, `KPI.sum` and `KPI.of` a ratio."""
    given = {name: value for name, value in row.items() if isinstance(name, str) and value not in (None, "")}
    folded: dict[str, Any] = {}
    for name, value in given.items():
        kpi, dot, part = name.rpartition(".")
        if name in ("unit", "arm"):
            folded[name] = value
        elif dot and part in ("yes", "sum") and f"{kpi}.of" in given:
            pair = _figure(value), _figure(given[f"{kpi}.of"])
            folded[kpi] = pair if part == "sum" else {"yes": pair[0], "of": pair[1]}
        elif not (dot and part == "of"):
            folded[name] = int(value) if name == "phase" and str(value).isdecimal() else _figure(value)
    return json.dumps(folded).encode()


def _figure(value: Any) -> Any:
    """A number, where it is one; CSV holds texts alone."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _row(path: Path, number: int, line: bytes, kpis: Collection[str]) -> UnitRow | None:
    if not line.strip():
        return None
    try:
        return parse(line, kpis)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}, line {number}: {error}") from None


def _packed(file: IO[bytes]) -> Iterator[UnitRow]:
    while head := file.read(HEAD):
        yield UNPACK.decode(file.read(int.from_bytes(head)))


def read_game(path: Path) -> Game:
    """Players and the value of each of their coalitions, from a JSON file.

    Raises:
        UsageError: unreadable, not JSON, or not the values of all coalitions.
    """
    try:
        return Game.read(json.loads(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"cannot read the values {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {error}") from None
