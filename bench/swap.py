"""`understudy bench swap`: swaps and rollbacks under eight streams and short requests, from a fresh state."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.options import folder_of, parser
from trials.swaps import measure
from trials.system import System
from understudy.files import write_json


def main(argv: list[str]) -> int:
    """Entry point; returns 0 when nothing failed, was cut or mixed."""
    made = parser("swap", __doc__, "10 swaps and rollbacks")
    made.add_argument("--swaps", type=int, default=200, help="swaps, and as many rollbacks (default 200)")
    made.add_argument("--streams", type=int, default=8, help="clients that stream (default 8)")
    made.add_argument("--state", type=Path, help="state directory to keep (default: a temporary one)")
    options = made.parse_args(argv)
    swaps = 10 if options.quick else options.swaps
    with folder_of(options.state, "swap") as state:
        system = System(state, "--no-traffic")
        try:
            system.wait_ready()
            result = asyncio.run(measure(system, swaps, options.streams))
        finally:
            system.stop()
    show(result)
    if options.json:
        write_json(options.json, result)
    bad = result["failed"] + result["truncated"] + result["mixed_version"]
    return 0 if bad == 0 else 1


def show(result: dict[str, Any]) -> None:
    """The table."""
    table = Table(title=f"{result['swaps']} swaps and {result['rollbacks']} rollbacks under load")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name in ("requests", "failed", "truncated", "mixed_version"):
        table.add_row(name, str(result[name]))
    for name in ("with", "without"):
        row = result["gap"][name]
        table.add_row(f"longest gap {name} swaps, p50 / p99 / max", " / ".join(f"{row[k]:.3f} s" for k in row))
    for name, row in result["seconds"].items():
        table.add_row(f"{name}, p50 / p99", f"{row['p50']:.3f} / {row['p99']:.3f} s")
    mib = {k: v >> 20 for k, v in result["memory"].items()}
    table.add_row("memory before / after", f"{mib['before']} / {mib['after']} MiB")
    Console().print(table)


if __name__ == "__main__":
    print(json.dumps({"exit": main(sys.argv[1:])}))
