"""`understudy bench breaker`: what a flood of attacks costs those who attack nobody.

Each run with the flood has one without it beside it. The gateway has the first core, load and engines the last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.breaker.load import Answered, drive
from bench.breaker.traffic import schedule
from bench.gateway.processes import last_core, running
from bench.options import finish, parser
from feedback.store.server import free_port

RATE, NORMAL = 50.0, 20.0
"""Attacks and normal requests a second: 30,000 attacks in ten minutes."""
ENGINE_SECONDS = 0.05
LATE = 0.2
QUICK_REQUESTS, QUICK_RUNS = 1200, 2
CONFIG = """
engines: {{teacher: {engine}, student: {engine}}}
guard: {{mode: enforce}}
"""


def main(argv: list[str]) -> int:
    """Entry point of the benchmark."""
    given = parse(argv)
    requests, runs = (QUICK_REQUESTS, QUICK_RUNS) if given.quick else (given.requests, given.runs)
    seconds = requests / runs / RATE
    pairs = [
        (measured(seconds, RATE, number), measured(seconds, 0.0, number))
        for number in track(range(runs), description="runs", disable=not sys.stdout.isatty())
    ]
    report = {
        "benchmark": "breaker", "requests": requests, "runs": runs, "cores": os.cpu_count(),
        "load": os.getloadavg()[0], **figures(pairs),
    }  # fmt: skip
    return finish(given, report, show)


def parse(argv: list[str]) -> argparse.Namespace:
    """The options."""
    made = parser("breaker", __doc__, f"{QUICK_REQUESTS} attacks in {QUICK_RUNS} runs")
    made.add_argument("--requests", type=int, default=30_000, help="attacks in all (default: %(default)s)")
    made.add_argument("--runs", type=int, default=5, help="over which they are spread (default: %(default)s)")
    return made.parse_args(argv)


def measured(seconds: float, attacks: float, seed: int) -> tuple[list[Answered], float]:
    """One run against a gateway of its own: what came of each request, and its event loop's longest pause, seconds."""
    with tempfile.TemporaryDirectory(prefix="bench-breaker-") as folder, ExitStack() as stack:
        upstream, port, pauses = free_port(), free_port(), Path(folder) / "pauses"
        config = Path(folder) / "gateway.yaml"
        config.write_text(CONFIG.format(engine=f"{{url: 'http://127.0.0.1:{upstream}/v1', model: m}}"), "utf-8")
        engine = f"from bench.gateway.engines import serve_whole; serve_whole({upstream}, {ENGINE_SECONDS})"
        gateway = (
            "from bench.breaker.processes import serve_gateway; "
            f"serve_gateway({str(config)!r}, {port}, {str(pauses)!r})"
        )
        stack.enter_context(running([sys.executable, "-c", engine], upstream, last_core()))
        with running([sys.executable, "-c", gateway], port, {min(os.sched_getaffinity(0))}, Path(folder)):
            found = asyncio.run(drive(port, schedule(seconds, attacks, NORMAL, seed)))
        return found, float(json.loads(pauses.read_text("utf-8")))


Measured = tuple[Sequence[Answered], float]


def figures(pairs: Sequence[tuple[Measured, Measured]]) -> dict[str, Any]:
    """The report of runs with and without the flood; milliseconds."""
    flooded = [one for (found, _), _ in pairs for one in found]
    degraded = [one for one in flooded if one.degraded]
    first = sorted(one.first_byte for one in degraded)
    normal = [(normal_p99(flood), normal_p99(calm)) for (flood, _), (calm, _) in pairs]
    return {
        "degraded": {
            "n": len(degraded), "causes": dict(Counter(one.degraded for one in degraded)),
            "p50_ms": 1000 * quantile(first, 0.5), "p99_ms": 1000 * quantile(first, 0.99),
            "p999_ms": 1000 * quantile(first, 0.999), "above_200_ms": sum(one > LATE for one in first),
        },
        "attacks": sum(one.due.attack for one in flooded),
        "attacks_served": sum(one.due.attack and not one.degraded for one in flooded),
        "violations": sum(not one.compliant for one in degraded),
        "failed": sum(one.status != 200 for one in flooded),
        "normal_degraded": sum(bool(one.degraded) and not one.due.attack for one in flooded),
        "normal": {
            "with_flood_p99_ms": 1000 * statistics.median(flood for flood, _ in normal),
            "without_flood_p99_ms": 1000 * statistics.median(calm for _, calm in normal),
            "ratio": statistics.median(flood / calm for flood, calm in normal),
        },
        "longest_pause_ms": {
            "with_flood": 1000 * max(pause for (_, pause), _ in pairs),
            "without_flood": 1000 * max(pause for _, (_, pause) in pairs),
        },
    }  # fmt: skip


def normal_p99(found: Sequence[Answered]) -> float:
    """Of the first bytes of normal requests, in seconds."""
    return quantile(sorted(one.first_byte for one in found if not one.due.attack), 0.99)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that is not below `share` of all; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def about(report: dict[str, Any]) -> str:
    """What stands above the table."""
    return (
        f"{report['requests']} attacks of up to 32k characters at {RATE:g}/s over {report['runs']} runs, beside "
        f"{NORMAL:g} normal requests/s before engines of {1000 * ENGINE_SECONDS:g} ms, timed from the instant each was "
        f"due. Load of the machine at the end: {report['load']:.1f}, on {report['cores']} cores."
    )


def rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The table's rows."""
    degraded, normal, pause = report["degraded"], report["normal"], report["longest_pause_ms"]
    causes = ", ".join(f"{name} {n}" for name, n in sorted(degraded["causes"].items()))
    return [
        ("attacks / degraded replies", f"{report['attacks']} / {degraded['n']} ({causes})"),
        ("first byte of degraded replies, p50 / p99 / p99.9",
         f"{degraded['p50_ms']:.1f} / {degraded['p99_ms']:.1f} / {degraded['p999_ms']:.1f} ms"),
        ("first bytes above 200 ms", str(degraded["above_200_ms"])),
        ("violations / failed requests", f"{report['violations']} / {report['failed']}"),
        ("normal requests degraded", str(report["normal_degraded"])),
        ("normal p99 with / without the flood, median ratio",
         f"{normal['with_flood_p99_ms']:.1f} / {normal['without_flood_p99_ms']:.1f} ms, {normal['ratio']:.2f}"),
        ("longest pause of the event loop with / without",
         f"{pause['with_flood']:.1f} / {pause['without_flood']:.1f} ms"),
    ]  # fmt: skip


def show(report: dict[str, Any]) -> None:
    """The table."""
    table = Table("figure", "value", title="a flood of attacks beside normal requests")
    for row in rows(report):
        table.add_row(*row)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(f"load of the machine at the end: {report['load']:.1f}")
