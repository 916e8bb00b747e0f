"""`understudy bench gateway`: who carries how many requests, at what price, in one run on one machine.

The candidate has the first core, load, engine and Redis the last; compare within one run only. Several workers have as
many cores, on a small machine that of the load, too: their CPU a request can be compared there, their rate hardly. Rows
on which an event was dropped are void: such a load is tried again, slower, until every event is stored. A run with
`--json` that was stopped goes on with the step that it was at.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.gateway import telling
from bench.gateway.budget import costs
from bench.gateway.candidates.earlier import AT, revisions, subject
from bench.gateway.candidates.starting import OURS, PEERS, TIMES, candidate, engine, known, one_of, spans
from bench.gateway.load import Workload, drive
from bench.gateway.native import compiler
from bench.gateway.plan import PARTS, QUICK, BenchStep, Lengths, minutes, steps, together
from bench.gateway.record import BenchRecord
from bench.gateway.remembering import remember
from bench.gateway.requests import source
from bench.gateway.streaming import EVENTS, PAUSE_MS, stream
from bench.options import parser
from serving.up.machine import processor
from understudy.errors import UsageError

WIDTH = 150
"""Characters of the tables where they go to no terminal."""


def main(argv: list[str]) -> int:
    """Entry point of the benchmark."""
    given = parse(argv)
    peers = known([peer for peer in given.peers.split(",") if peer])
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            raise UsageError(f"this benchmark needs `{tool}`: run `scripts/system-packages`")
    compiler()
    lengths = QUICK if given.quick else Lengths()
    about = {
        "benchmark": "gateway", "machine": {"cores": len(os.sched_getaffinity(0)), "processor": processor()},
        "quick": given.quick, "seconds": asdict(lengths), "texts": source(), "spans": spans(), "workers": given.workers,
    }  # fmt: skip
    record = BenchRecord(given.json, about)
    todo = [
        step
        for step in steps(given.only or PARTS, peers, given.workers, lengths, revisions(given.since))
        if "failed" in (record.figures(step.part, step.workload, step.name) or {"failed": "not yet measured"})
    ]
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    for part, took in minutes(todo).items():
        count = sum(step.part == part for step in todo)
        console.print(f"{part} ({PARTS[part]}): {count} steps, about {took:.0f} minutes")
    with (
        tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder,
        Bench(Path(folder), record, given.workers) as bench,
    ):
        for number, step in enumerate(todo, 1):
            began = time.monotonic()
            bench.measure(step)
            told = f"{number}/{len(todo)} {step.part}: {step.workload}, {step.name}"
            console.print(f"{told}: {time.monotonic() - began:.0f} s", soft_wrap=True)
    telling.show(record.report, console)
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """The options."""
    made = parser("gateway", __doc__, "seconds each, to see that it works")
    made.add_argument(
        "--peers", default="nginx", help=f"whom to compare with, of {', '.join(PEERS)} (default: %(default)s)"
    )
    made.add_argument("--only", action="append", choices=list(PARTS), help="this part alone; may be given again")
    made.add_argument(
        "--workers", type=int, default=2, help="of the gateway that is compared with one of one (default: %(default)s)"
    )
    made.add_argument(
        "--since", default="", help="revisions of this repository that are measured beside its present state"
    )
    return made.parse_args(argv)


class Bench:
    """Engines that are running, by what they say, and a record that grows."""

    def __init__(self, folder: Path, record: BenchRecord, workers: int) -> None:
        self._folder, self._workers = folder, workers
        self._record = record
        self._engines: dict[tuple[int, int], int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(self, step: BenchStep) -> None:
        """Take one step and keep its figures; a peer or an earlier state that does not start is kept as failed.

        Raises:
            UsageError: it is the gateway of today that does not start.
        """
        began = os.getloadavg()[0]
        try:
            figures = self._figures(step)
        except UsageError as error:
            if step.name.partition(TIMES)[0] in OURS:
                raise
            figures = {"failed": error.message}
        if revision := step.name.partition(AT)[2]:
            figures["subject"] = subject(revision)
        self._record.keep(step.part, step.workload, step.name, {**figures, "load": began})

    def _figures(self, step: BenchStep) -> dict[str, Any]:
        load = step.load
        if step.part == "budget":
            return asdict(costs(self._folder))
        if isinstance(load, Workload):
            with candidate(step.name, self._folder, self._engine(load.events or 1)) as (port, process):
                workers = one_of(step.name)[1]
                done = drive(self._folder, port, process, load, step.seconds, workers, self._pause(step))
                return asdict(done)
        if load:
            with candidate(step.name, self._folder, self._engine(EVENTS, PAUSE_MS)) as (port, process):
                return asdict(stream(self._folder, port, process, load, step.seconds))
        with candidate(step.name, self._folder, self._engine(32)) as (port, process):
            assert process is not None
            return asdict(remember(self._folder, port, process, step.seconds))

    def _engine(self, events: int, pause_ms: int = 0) -> int:
        asked = (events, pause_ms)
        if asked not in self._engines:
            self._engines[asked] = self._stack.enter_context(engine(self._folder, *asked))
        return self._engines[asked]

    def _pause(self, step: BenchStep) -> float:
        """Milliseconds that one worker's load waits as that of several did, so that each has as much to do."""
        pairs = {name: str(load) for load, name in together(self._workers)} if step.part == "workers" else {}
        several = f"{step.name}{TIMES}{self._workers}"
        found = self._record.figures(step.part, pairs[several], several) if several in pairs else None
        return 0.0 if found is None else float(found["paused"])
