"""`understudy bench breaker`: what a flood of attacks costs those who attack nobody.

Each run with the flood has one without it beside it. The gateway has the first core, load and engines the last. With
`--json` each pair of runs is written when it is over: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.breaker.breakdown import REQUESTS, FloodRun, Pair, figures, kept, known
from bench.breaker.load import drive
from bench.breaker.processes import guarded
from bench.breaker.telling import rows
from bench.breaker.traffic import SHORT, schedule
from bench.options import finish, parser
from serving.up.machine import machine
from trials.system import System
from understudy.errors import UsageError
from understudy.files import write_json

RATE, NORMAL_RATE = 50.0, 20.0
"""Attacks and normal requests a second: 30,000 attacks in ten minutes."""
QUICK_REQUESTS, QUICK_RUNS = 1200, 2
REAL_SECONDS = 60.0
REAL_PATIENCE = 900.0
"""Seconds for the system to start, on a machine that does other work too."""
START_SECONDS, REAL_START_SECONDS = 8.0, 120.0
"""That a run takes to start, roughly, for the plan."""


def main(argv: list[str]) -> int:
    """Entry point of the benchmark."""
    given = parse(argv)
    requests, runs = (QUICK_REQUESTS, QUICK_RUNS) if given.quick else (given.requests, given.runs)
    settings = {
        "benchmark": "breaker", "requests": requests, "runs": runs, "attacks_per_second": RATE,
        "normal_per_second": NORMAL_RATE,
    }  # fmt: skip
    seconds = requests / runs / RATE
    report = before(given.json, settings)
    pairs = known(report.get("pairs", ()))
    real = given.real and "real" not in report
    print(plan(seconds, runs, len(pairs), real), flush=True)
    for number in (one for one in range(runs) if one not in pairs):
        print(f"pair {number + 1} of {runs}", flush=True)
        pairs[number] = measured(seconds, RATE, number), measured(seconds, 0.0, number)
        report = keep(given.json, {**report, **settings, "pairs": kept(pairs)})
    if real:
        print("real engines", flush=True)
        report = keep(given.json, {**report, **settings, "real": before_real(REAL_SECONDS)})
    report = {**report, **settings, "machine": machine(), **figures([pairs[number] for number in sorted(pairs)])}
    return finish(given, report, show)


def parse(argv: list[str]) -> argparse.Namespace:
    """The options."""
    made = parser("breaker", __doc__, f"{QUICK_REQUESTS} attacks in {QUICK_RUNS} runs")
    made.add_argument("--requests", type=int, default=REQUESTS, help="attacks in all (default: %(default)s)")
    made.add_argument("--runs", type=int, default=5, help="over which they are spread (default: %(default)s)")
    made.add_argument(
        "--real", action="store_true", help="one more pair of runs before the demo's engines, as `understudy up` runs"
    )
    return made.parse_args(argv)


def plan(seconds: float, runs: int, there: int, real: bool) -> str:
    """What is going to be measured, and for how long."""
    left = (runs - there) * 2 * (seconds + START_SECONDS) + real * (2 * REAL_SECONDS + REAL_START_SECONDS)
    said = f"{runs} pairs of {seconds:.0f} s with the flood and {seconds:.0f} s without it"
    said += f", {there} of them there already" if there else ""
    said += f"; {REAL_SECONDS:.0f} s of both before real engines" if real else ""
    return f"{said}: about {left / 60:.0f} minutes"


def before(file: Path | None, settings: dict[str, Any]) -> dict[str, Any]:
    """What a former run of the same settings left in `file`.

    Raises:
        UsageError: it holds something else.
    """
    if file is None or not file.is_file():
        return {}
    report: dict[str, Any] = json.loads(file.read_text("utf-8"))
    if any(report.get(name) != value for name, value in settings.items()):
        raise UsageError(f"{file} holds runs of other settings: name another file, or remove it")
    return report


def keep(file: Path | None, report: dict[str, Any]) -> dict[str, Any]:
    """`report`, which is written to `file` where there is one."""
    if file is not None:
        write_json(file, report)
    return report


def measured(seconds: float, attacks: float, seed: int) -> FloodRun:
    """One run against a gateway of its own before an engine of 50 ms."""
    pauses: list[float] = []
    with guarded(pauses) as port:
        found = asyncio.run(drive(port, schedule(seconds, attacks, NORMAL_RATE, seed)))
    return FloodRun.of(found, pauses[0], os.getloadavg()[0])


def before_real(seconds: float) -> dict[str, Any]:
    """A pair of runs against `understudy up` on a state of its own, its guard enforced as it begins."""
    with tempfile.TemporaryDirectory(prefix="bench-breaker-") as folder:
        system = System(Path(folder) / "state")
        try:
            system.wait_ready(REAL_PATIENCE)
            port = int(system.gateway.rpartition(":")[2])
            pair: Pair = _as_found(port, seconds, RATE), _as_found(port, seconds, 0.0)
        finally:
            system.stop()
    return {"seconds": seconds, "pairs": kept({0: pair}), **figures([pair])}


def _as_found(port: int, seconds: float, attacks: float) -> FloodRun:
    dues = schedule(seconds, attacks, NORMAL_RATE, int(attacks), normal_length=SHORT, max_tokens=16)
    return FloodRun.of(asyncio.run(drive(port, dues)), None, os.getloadavg()[0])


def show(report: dict[str, Any]) -> None:
    """The table."""
    table = Table("figure", "value", "asked", title="a flood of attacks beside normal requests")
    for row in rows(report):
        table.add_row(*row)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    console.print(table)
    console.print(f"load of the machine at the end of a run, at most: {report['load']:.1f}")
