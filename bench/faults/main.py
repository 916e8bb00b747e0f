"""`understudy bench faults`: kills, stops, cut logs, bad links, full disk, jumping clocks; is each event there once?

Two gateways' outboxes and two workers run on a real Redis and, with --bus kafka, a real broker. The load generator
writes down every event before it goes out and every answer before it counts; half of the faults happen while nobody
sends. At the end each acknowledged event must have had its effects once, in the order of its session.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.faults.cost import sync_cost
from bench.faults.stage import Fault, FaultStage
from bench.options import folder_of
from understudy.errors import UsageError
from understudy.files import write_json

SETTLE_SECONDS = 60.0
"""How long no further event may arrive after the last fault before those that are missing count as lost."""
DRAIN_SECONDS = 60.0
"""How long a busy phase may last."""


def main(argv: list[str]) -> int:
    """Entry point; 0 when nothing was lost, doubled or out of order."""
    parser = argparse.ArgumentParser(
        prog="understudy bench faults",
        description=__doc__,
        epilog="example: understudy bench faults --bus kafka --quick",
    )
    parser.add_argument("--bus", choices=("redis", "kafka"), default="redis", help="what carries the events")
    parser.add_argument("--kills", type=int, default=200, help="faults of all kinds (default 200)")
    parser.add_argument("--events", type=int, default=50_000, help="events (default 50000)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults' order and times")
    parser.add_argument("--only", help="kinds of faults, by comma: kill, stop, cut, slow, broken, silent, disk, clock")
    parser.add_argument("--quick", action="store_true", help="20 faults, 2000 events")
    parser.add_argument("--keep", type=Path, help="folder for ledger and logs, kept (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(argv)
    kills, events = (20, 2000) if options.quick else (options.kills, options.events)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the parts end too
    with folder_of(options.keep, "faults") as folder:
        only = frozenset((options.only or "").split(",")) - {""}
        result = run(folder, options.bus, kills, events, options.seed, only)
        result["appendfsync"] = sync_cost(folder / "cost")
    show(result)
    if options.json:
        write_json(options.json, result)
    return 0 if good(result) else 1


def good(result: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled, out of order, or never sent, and no part ended by itself."""
    return not any(result[name] for name in ("lost", "doubled", "out_of_order", "foreign", "crashes"))


def run(
    folder: Path, bus: str, kills: int, events: int, seed: int, only: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Play `kills` faults (of the kinds `only`, or of all) while `events` go through; what became of them."""
    began = time.monotonic()
    stage = FaultStage(folder, bus, seed)
    try:
        stage.start()
        played = play(stage, kills, events, only)
        settled = settle(stage)
        judged = stage.judge()
        return {
            "bus": bus,
            "events": events,
            "faults": kills,
            "seed": seed,
            **dataclasses.asdict(judged),
            "kills": dict(Counter(name for _, name in played)),
            "by_fault": dict(Counter(kind for kind, _ in played)),
            "crashes": len(stage.crashes),
            "crashed": dict(Counter(stage.crashes)),
            "counted_lost": stage.lost_counters(),
            "skipped": stage.skipped,
            "settled_seconds": round(settled, 1),
            "seconds": round(time.monotonic() - began, 1),
        }
    finally:
        stage.close()


def play(stage: FaultStage, kills: int, events: int, only: frozenset[str] = frozenset()) -> list[Fault]:
    """Every kind of fault in turn, in an order by chance; half of them in quiet.

    Raises:
        UsageError: none of those asked for can be played here.
    """
    order: list[Fault] = []
    if not [kind for kind, _ in stage.faults() if not only or kind in only]:
        raise UsageError(f"no fault of {', '.join(sorted(only))} can be played here: {stage.skipped}")
    while len(order) < kills:
        faults = [fault for fault in stage.faults() if not only or fault[0] in only]
        stage.chance.shuffle(faults)
        order += faults
    busy = (kills + 1) // 2
    share = -(-events // (busy * len(stage.feeders)))
    for place, fault in enumerate(order[:kills]):
        if place % 2 == 0:
            left = max(0, events // len(stage.feeders) - share * (place // 2))
            for feeder in stage.feeders.values():
                feeder.grant(min(share, left))
            time.sleep(stage.chance.uniform(0, 0.5))
        else:
            drain(stage)
            time.sleep(stage.chance.uniform(0, 0.6))
        stage.play(fault)
        stage.mend()
    drain(stage)
    return order[:kills]


def drain(stage: FaultStage) -> None:
    """Wait until nothing is owed: the phase that follows is quiet."""
    end = time.monotonic() + DRAIN_SECONDS
    while any(feeder.owed for feeder in stage.feeders.values()) and time.monotonic() < end:
        stage.mend()
        time.sleep(0.05)


def settle(stage: FaultStage) -> float:
    """Wait until every acknowledged event has had its effects, as long as more do; the seconds it took."""
    began = moved = time.monotonic()
    missing: int | None = None
    while time.monotonic() < moved + SETTLE_SECONDS:
        stage.mend()
        for feeder in stage.feeders.values():
            feeder.ask()
        before, missing = missing, stage.judge().lost
        if missing == 0:
            break
        if missing != before:
            moved = time.monotonic()
        time.sleep(0.5)
    took = time.monotonic() - began
    time.sleep(2.0)
    return took


def show(result: dict[str, Any]) -> None:
    """The table."""
    table = Table(title="{events} events, {faults} faults, bus {bus}, {seconds} s".format(**result))
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name in ("acknowledged", "lost", "doubled", "out_of_order", "foreign", "refused", "unsent", "unspooled"):
        table.add_row(name, str(result[name]))
    for name in ("unspooled_ms", "commit_ms"):
        table.add_row(name, ", ".join(f"{key} {value}" for key, value in result[name].items()))
    for name in ("kills", "by_fault", "crashed", "counted_lost", "skipped"):
        table.add_row(name, ", ".join(f"{key} {value}" for key, value in sorted(result[name].items())) or "none")
    for name, row in result.get("appendfsync", {}).items():
        table.add_row(f"appendfsync {name}", "{per_second:.0f} events/s, p99 {p99_ms:.2f} ms".format(**row))
    Console().print(table)
