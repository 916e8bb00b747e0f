"""`understudy bench gateway`: who carries how many requests, at what price, in one run on one machine.

The candidate has the first core, load, engine and Redis the last; compare within one run only. Several workers have as
many cores, on a small machine that of the load, too: their CPU a request can be compared there, their rate hardly. Rows
on which an event was dropped are void: such a load is tried again, slower, until every event is stored.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.gateway.candidates import candidate, names, one_of, upstreams
from bench.gateway.load import GatewayResult, Workload, drive, void
from bench.gateway.requests import source
from bench.options import finish, parser
from understudy.errors import UsageError

QUICK = (Workload(512, False, 1), Workload(512, False, 16), Workload(512, True, 16))
FULL = (
    *(Workload(512, False, connections) for connections in (1, 16, 128)),
    *(Workload(size, False, 16) for size in (8 << 10, 64 << 10)),
    *(Workload(512, True, connections) for connections in (1, 16, 128)),
)
EVENTS = 32
"""Of a stream."""
PACED = ", a share"
"""After the name of a candidate that was measured with what each of several workers of it had."""
WIDTH = 140
"""Characters of the table where it goes to no terminal."""


def main(argv: list[str]) -> int:
    """Entry point of the benchmark."""
    given = parse(argv)
    chosen = names([peer for peer in given.peers.split(",") if peer], given.workers)
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            raise UsageError(f"this benchmark needs `{tool}`: run `scripts/system-packages`")
    seconds, loads = (2.0, QUICK) if given.quick else (given.seconds, FULL)
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
        results = measure(Path(folder), chosen, loads, seconds, given.events)
    report = {
        "benchmark": "gateway", "cores": os.cpu_count(), "seconds": seconds, "events": given.events,
        "texts": source(), "load": os.getloadavg()[0], **ratios(results),
    }  # fmt: skip
    return finish(given, report, show)


def parse(argv: list[str]) -> argparse.Namespace:
    """The options."""
    made = parser("gateway", __doc__, "two seconds each, fewer workloads")
    made.add_argument(
        "--peers", default="nginx", help="whom to compare with, of nginx, asgi and litellm (default: nginx)"
    )
    made.add_argument("--workers", type=int, default=1, help="also measure a gateway of so many workers, a core each")
    made.add_argument("--seconds", type=float, default=6.0, help="length of each measurement")
    made.add_argument("--events", type=int, default=EVENTS, help="of a stream (default: %(default)s)")
    return made.parse_args(argv)


def measure(
    folder: Path, chosen: list[str], loads: tuple[Workload, ...], seconds: float, events: int
) -> dict[str, dict[str, GatewayResult]]:
    """Results by workload and candidate; the candidates take turns, so that a noisy machine is fair."""
    results: dict[str, dict[str, GatewayResult]] = {}
    with upstreams(folder, events) as ports:
        for load in loads:
            found = results.setdefault(str(load), {})
            for name in chosen:
                with candidate(name, folder, ports[load.stream]) as (port, process):
                    found[name] = drive(folder, port, process, load, seconds, one_of(name)[1])
            for one, workers, pause in paced(found):
                share = replace(load, connections=max(1, load.connections // workers))
                with candidate(one, folder, ports[load.stream]) as (port, process):
                    found[f"{one}{PACED}"] = drive(folder, port, process, share, seconds, pause=pause)
    return results


def paced(found: dict[str, GatewayResult]) -> list[tuple[str, int, float]]:
    """Candidates of one worker to be measured again with what each of several had: (name, how many, ms of pause).

    A commit of one event costs as much as one of many, so that CPU a request is compared at the same load of a worker.
    """
    several = [(*one_of(name), result.paused) for name, result in found.items() if one_of(name)[0] != name]
    return [(one, workers, pause) for one, workers, pause in several if pause != found[one].paused]


def ratios(results: dict[str, dict[str, GatewayResult]]) -> dict[str, Any]:
    """The report: figures, what each candidate adds to the direct way, and its rate as a share of nginx's."""
    report: dict[str, Any] = {}
    for workload, found in results.items():
        direct, nginx = found["direct"], found.get("nginx")
        report[workload] = {
            name: {
                **asdict(void(result)),
                "cpu_us": result.cpu_loop + result.cpu_others,
                "added_p50": result.p50 - direct.p50,
                "added_p99": result.p99 - direct.p99,
                "of_nginx": None if nginx is None or result.dropped else result.per_second / nginx.per_second,
                "cpu_of_nginx": (result.cpu_loop + result.cpu_others) / (nginx.cpu_loop + nginx.cpu_others)
                if nginx is not None and nginx.cpu_loop + nginx.cpu_others
                else None,
                **of_one(name, found),
            }
            for name, result in found.items()
        }
    return {"workloads": report}


def of_one(name: str, found: dict[str, GatewayResult]) -> dict[str, float | None]:
    """CPU a request and rate of several workers as shares of those of one; None where there is nothing to compare."""
    base, result = one_of(name)[0], found[name]
    one = found.get(f"{base}{PACED}") or found[base]
    if base == name or result.dropped or one.dropped or not one.cpu_loop + one.cpu_others:
        return {"cpu_of_one": None, "rate_of_one": None}
    return {
        "cpu_of_one": (result.cpu_loop + result.cpu_others) / (one.cpu_loop + one.cpu_others),
        "rate_of_one": result.per_second / one.per_second,
    }


def show(report: dict[str, Any]) -> None:
    """The table."""
    table = Table(title="requests or streams a second, milliseconds, microseconds of CPU a request")
    for column in ("workload", "candidate"):
        table.add_column(column)
    for column in ("per s", "of nginx", "p50", "p99", "added p50", "CPU loop", "others", "of one", "MB", "errors",
                   "dropped"):  # fmt: skip
        table.add_column(column, justify="right")
    for workload, found in report["workloads"].items():
        for name, r in found.items():
            rate = "void" if r["dropped"] else f"{r['per_second']:.0f}"
            share = "" if r["of_nginx"] is None else f"{r['of_nginx']:.3f}"
            figures = [f"{r[k]:.2f}" for k in ("p50", "p99", "added_p50")]
            cpu = [f"{r[k]:.0f}" for k in ("cpu_loop", "cpu_others")]
            of_one = "" if r["cpu_of_one"] is None else f"{r['cpu_of_one']:.2f}"
            rest = [of_one, f"{r['rss_mb']:.0f}", str(r["errors"]), str(r["dropped"])]
            table.add_row(workload, name, rate, share, *figures, *cpu, *rest)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    console.print(f"texts: {report['texts']}; load of the machine at the end: {report['load']:.1f}")
