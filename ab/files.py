"""Reads experiment files, units and rows for the commands; the one module of `ab` that does I/O."""

from __future__ import annotations

import gzip
import json
import tempfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TypeVar, cast

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


PART_BYTES = 16 << 20
"""Rows of about so many bytes are held in memory at a time."""
PARTS = 256


def read_rows(path: Path, kpis: Collection[str]) -> Iterator[list[UnitRow]]:
    """Rows of a JSONL file (plain or .gz), in parts that each hold all rows of their units.

    A file of more than `PART_BYTES` is first dealt out by unit into temporary files, so that memory does not depend
    on its length; about its size is needed in the temporary folder for that time.

    Raises:
        UsageError: unreadable, or a line that is no row, with its number.
    """
    try:
        size = path.stat().st_size * (10 if path.suffix == ".gz" else 1)
        parts = min(PARTS, -(-size // PART_BYTES))
        if parts <= 1:
            yield list(_rows(path, kpis))
            return
        with ExitStack() as held:
            files = [held.enter_context(tempfile.TemporaryFile()) for _ in range(parts)]
            with _opened(path) as lines:
                for number, line in enumerate(lines, 1):
                    if row := _row(path, number, line, kpis):
                        files[zlib.crc32(row.unit.encode()) % parts].write(b"%d\t%b" % (number, line.rstrip() + b"\n"))
            for file in files:
                file.seek(0)
                yield [_again(path, line, kpis) for line in file]
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read the rows {path}: {error}") from None


def _rows(path: Path, kpis: Collection[str]) -> Iterator[UnitRow]:
    with _opened(path) as lines:
        for number, line in enumerate(lines, 1):
            if row := _row(path, number, line, kpis):
                yield row


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _row(path: Path, number: int, line: bytes, kpis: Collection[str]) -> UnitRow | None:
    if not line.strip():
        return None
    try:
        return parse(line, kpis)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}, line {number}: {error}") from None


def _again(path: Path, line: bytes, kpis: Collection[str]) -> UnitRow:
    number, _, text = line.partition(b"\t")
    row = _row(path, int(number), text, kpis)
    assert row is not None
    return row


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
