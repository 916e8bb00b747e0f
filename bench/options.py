"""What the command lines of benchmarks share."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from understudy.files import write_json


def parser(name: str, about: str | None, quick: str) -> argparse.ArgumentParser:
    """Of `understudy bench NAME`, with `--json` and `--quick`, which makes it `quick`."""
    made = argparse.ArgumentParser(
        prog=f"understudy bench {name}",
        description=about,
        epilog=f"example: understudy bench {name} --quick --json {name}.json",
    )
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--json", type=Path, help="write the report there")
    return made


@contextmanager
def folder_of(given: Path | None, name: str) -> Iterator[Path]:
    """The folder in which a benchmark works: `given`, which stays, or a temporary one named after it, which goes.

    `tempfile.TemporaryDirectory` alone would fail where processes that are ending still write below.
    """
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix=f"understudy-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def finish(given: argparse.Namespace, report: dict[str, Any], show: Callable[[dict[str, Any]], None]) -> int:
    """Show a report, and write it where `--json` says; the exit code."""
    show(report)
    if given.json:
        write_json(given.json, report)
    return 0
