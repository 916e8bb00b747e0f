"""`understudy experiment export`: users' rows of an experiment as a file for whoever wants to reckon anew.

The control plane sends them line by line and neither side holds more than some thousands of them.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from serving.control.client import Admin, NotRunning, segment
from serving.export_files import write_parquet, written_whole
from understudy.errors import UsageError
from understudy.state import DEFAULT_STATE

BATCH = 10_000
"""Rows of a row group, and held in memory at once."""


def main(argv: list[str]) -> int:
    """Entry point; 0 when the file is whole.

    Raises:
        UsageError: a name that ends neither in .csv nor in .parquet.
        UnderstudyError: no control plane, no such experiment, or a file that cannot be written; then there is none.
    """
    made = argparse.ArgumentParser(
        prog="understudy experiment export",
        description="Write what was counted of each user of an experiment to a file: a row for each unit and phase, "
        "units as keyed hashes, no text. `understudy experiment analyse FILE --data IT` judges it again.",
        epilog="example: understudy experiment export student-half rows.parquet",
    )
    made.add_argument("name", metavar="ID", help="the experiment; a stopped one, too")
    made.add_argument("file", type=Path, metavar="FILE", help="ends in .parquet or .csv; an older one is replaced")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    made.add_argument("--as", dest="speaker", default="", metavar="NAME", help="who does it, kept in the audit log")
    made.add_argument("--json", action="store_true", help="print JSON")
    given = made.parse_args(argv)
    if given.file.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{given.file.name}: rows are written as .parquet or .csv")
    count = export(given.file, Admin(given.state, given.speaker).lines(f"/experiments/{segment(given.name)}/rows"))
    said = {"file": str(given.file), "rows": count, "experiment": given.name}
    print(json.dumps(said) if given.json else f"{count:,} rows of {given.name} written to {given.file}")
    return 0


def export(path: Path, lines: Iterator[str]) -> int:
    """Write rows as the control plane sends them, whole or not at all, for their owner alone to read; how many."""
    columns = json.loads(next(lines))["columns"]
    write = _parquet if path.suffix == ".parquet" else _csv
    return written_whole(path, lambda draft: write(draft, columns, _rows(lines)))


def _rows(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Up to the line that says that these were all."""
    count = 0
    for line in lines:
        row = json.loads(line)
        if "rows" in row:
            if row["rows"] != count:
                break
            return
        count += 1
        yield row
    raise NotRunning(f"the control plane stopped after {count} rows; nothing was written, try again")


def _csv(path: Path, columns: Sequence[str], rows: Iterator[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        for row in rows:
            table.writerow({**row, "fell_back": int(row["fell_back"])})
            count += 1
    return count


def _parquet(path: Path, columns: Sequence[str], rows: Iterator[dict[str, Any]]) -> int:
    def types(arrow: Any) -> dict[str, Any]:
        kinds = {"unit": arrow.string(), "arm": arrow.string(), "phase": arrow.int64(), "fell_back": arrow.bool_()}
        return {name: kinds.get(name, arrow.float64()) for name in columns}

    return write_parquet(path, types, rows, BATCH, ".csv")
