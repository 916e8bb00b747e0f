"""Rows into a file for use elsewhere: whole or not at all, for their owner alone to read."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from understudy.errors import UnderstudyError

Columns = Callable[[Any], Mapping[str, Any]]
"""Of the module pyarrow, the type of each column by name, in order."""


def written_whole(path: Path, write: Callable[[Path], int]) -> int:
    """Have `write` fill a draft that takes the place of `path` once it is whole; returns what it returns, its rows.

    Raises:
        UnderstudyError: the file cannot be written; what was there stays.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        count = write(draft)
        draft.replace(path)
    except OSError as error:
        raise UnderstudyError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
    return count


def write_parquet(path: Path, columns: Columns, rows: Iterator[dict[str, Any]], batch: int, instead: str) -> int:
    """Write rows as Parquet, `batch` of them to a row group and in memory at once; returns how many.

    Raises:
        UnderstudyError: pyarrow is not installed; a name that ends in `instead` needs none.
    """
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise UnderstudyError(f"Parquet needs pyarrow: install the extra `experiments`, or give a {instead}") from None
    schema = arrow.schema(list(columns(arrow).items()))
    count = 0
    with parquet.ParquetWriter(str(path), schema) as writer:
        while part := list(islice(rows, batch)):
            writer.write_table(arrow.Table.from_pylist(part, schema=schema))
            count += len(part)
    return count
