"""What the command lines of benchmarks share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
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


def finish(given: argparse.Namespace, report: dict[str, Any], show: Callable[[dict[str, Any]], None]) -> int:
    """Show a report, and write it where `--json` says; the exit code."""
    show(report)
    if given.json:
        write_json(given.json, report)
    return 0
