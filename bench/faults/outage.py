"""`understudy bench outage`: the bus away for minutes under load: what clients notice, what it takes, what arrives.

Two gateways (`understudy serve`) get the same requests at the same moments and have a stub engine in common; each has
a bus of its own, a real one. One of them is stopped for a while. Whatever else the machine does meets both gateways, so
the one beside tells what is not the outage's doing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from bench.faults.steady import SteadyLoad, percentiles
from bench.gateway.processes import running
from bench.options import parser
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.events import EXCHANGES
from feedback.store.config import RedisConfig
from feedback.store.server import RedisServer
from trials.broker import Broker, find_kafka
from trials.system import free_ports
from understudy.errors import Unavailable, UsageError
from understudy.files import write_json

AROUND = 120.0
"""Seconds of load before the outage, and after it."""
QUIET = 60.0
"""Seconds without a further event after which those that are missing count as lost."""
PARTITIONS = 4
MIB = 1 << 20


class Away(Protocol):
    """A bus that can be stopped and started again with what it held."""

    def start(self) -> object: ...

    def stop(self) -> object: ...


def main(argv: list[str]) -> int:
    """Entry point; 0 when every request was answered and every event came."""
    made = parser("outage", __doc__, "half a minute at 50 a second")
    made.add_argument("--bus", choices=("redis", "kafka"), default="redis", help="what is away")
    made.add_argument("--minutes", type=float, default=10.0, help="for how long (default 10)")
    made.add_argument("--rate", type=float, default=200.0, help="requests a second to each gateway (default 200)")
    options = made.parse_args(argv)
    seconds, rate, around = 60 * options.minutes, options.rate, AROUND
    if options.quick:
        seconds, rate, around = 30.0, 50.0, 10.0
    with tempfile.TemporaryDirectory(prefix="understudy-outage-") as folder:
        result = measure(Path(folder), options.bus, seconds, rate, around)
    show(result)
    if options.json:
        write_json(options.json, result)
    return 0 if good(result) else 1


def good(result: dict[str, Any]) -> bool:
    """Whether every request was answered, and every event came."""
    return not any(row[name] for row in result["gateways"].values() for name in ("failed", "missing"))


def measure(folder: Path, bus: str, seconds: float, rate: float, around: float) -> dict[str, Any]:
    """The figures of an outage of `seconds`, with `around` seconds of load before and after it."""
    with ExitStack() as stack:
        stub = free_ports(1)[0]
        code = f"from bench.faults.steady import stub_engine; stub_engine({stub})"
        stack.enter_context(running([sys.executable, "-c", code], stub, os.sched_getaffinity(0)))
        pair = [GatewayUnderLoad(folder / name, name, bus, stub, stack) for name in ("cut off", "beside")]
        began = time.monotonic()
        asyncio.run(drive(pair, {"before": around, "away": seconds, "after": around}, rate))
        drained = pair[0].drained()
        for one in pair:
            one.collect()
        return {
            "bus": bus, "away_seconds": seconds, "rate": rate, "around_seconds": around,
            "drained_seconds": round(drained, 1), "seconds": round(time.monotonic() - began, 1),
            "gateways": {one.load.name: one.told() for one in pair},
        }  # fmt: skip


class GatewayUnderLoad:
    """A gateway with a bus of its own, all in `folder`; ended with `stack`."""

    def __init__(self, folder: Path, name: str, bus: str, stub: int, stack: ExitStack) -> None:
        folder.mkdir()
        self.bus, self.url = _bus(bus, folder)
        self.bus.start()
        stack.callback(self.bus.stop)
        port = free_ports(1)[0]
        config = folder / "gateway.yaml"
        config.write_text(
            f"engines: {{teacher: {{url: 'http://127.0.0.1:{stub}/v1', model: m}}}}\n"
            f"bus: {{url: '{self.url}', partitions: {PARTITIONS}}}\n"
        )
        command = [sys.executable, "-m", "understudy", "serve", "--config", str(config), "--port", str(port)]
        self._process = stack.enter_context(running(command, port, os.sched_getaffinity(0), folder))
        self._port = port
        self.load = SteadyLoad(name, port)
        self._rss: dict[str, int] = {}
        self._told: dict[str, dict[str, float]] = {}
        self._arrived: set[str] = set()
        self._dropped = 0

    def look(self) -> None:
        """Note how much memory it has now."""
        rss = self._process.memory_info().rss + sum(child.memory_info().rss for child in self._process.children())
        self._rss[self.load.phase] = max(rss, self._rss.get(self.load.phase, 0))

    def ask(self) -> dict[str, float]:
        """What its outbox says of itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=30) as reply:
            lines = reply.read().decode().splitlines()
        rows = [line.rpartition(" ") for line in lines if not line.startswith("#") and "outbox_" in line]
        return {name.rpartition("outbox_")[2]: float(value) for name, _, value in rows}

    def note(self) -> None:
        """Keep what its outbox says at the end of a phase."""
        self._told[self.load.phase] = self.ask()

    def drained(self) -> float:
        """Wait until the bus holds all that was captured, as long as more comes; the seconds."""
        began = moved = time.monotonic()
        left = self.ask()["pending"]
        while left and time.monotonic() < moved + QUIET:
            time.sleep(0.2)
            before, left = left, self.ask()["pending"]
            moved = time.monotonic() if left < before else moved
        return time.monotonic() - began

    def collect(self) -> None:
        """Read from the bus what came, until all did that was not dropped and counted, or nothing more does."""
        self._dropped = round(sum(value for name, value in self.ask().items() if name.startswith("dropped_")))
        positions, moved = dict.fromkeys(range(PARTITIONS), ""), time.monotonic()
        with closing(open_bus(BusConfig(url=self.url, partitions=PARTITIONS), RedisConfig())) as bus:
            while len(self.missing()) > self._dropped and time.monotonic() < moved + QUIET:
                for part, after in positions.items():
                    try:
                        events = bus.read(EXCHANGES, part, after, 500)
                    except Unavailable:
                        continue
                    if events:
                        moved, positions[part] = time.monotonic(), events[-1].position
                        self._arrived |= {event.key for event in events}
                        bus.forget(EXCHANGES, part, positions[part])

    def missing(self) -> set[str]:
        """Sessions of requests that were answered, and whose event did not come."""
        return self.load.answered - self._arrived

    def told(self) -> dict[str, Any]:
        """Its figures."""
        took = {phase: percentiles(seconds) for phase, seconds in self.load.seconds.items()}
        commits = {
            phase: {name: round(1000 * told[f"commit_{name}_seconds"], 3) for name in ("p50", "p99", "max")}
            for phase, told in self._told.items()
        }
        grown = max(self._rss["away"], self._rss["after"]) - self._rss["before"]
        return {
            "milliseconds": took,
            "p99_moved_ms": round(took["away"]["p99"] - took["before"]["p99"], 3),
            "rss_mib": {phase: round(rss / MIB, 1) for phase, rss in self._rss.items()},
            "rss_grown_mib": round(grown / MIB, 1),
            "commit_ms": commits,
            "spool_mib": round(self._told["away"]["spool_bytes"] / MIB, 1),
            "bus_up": bool(self._told["away"]["bus_up"]),
            "answered": len(self.load.answered),
            "failed": self.load.failed,
            "missing": len(self.missing()),
            "dropped": self._dropped,
        }


async def drive(pair: list[GatewayUnderLoad], phases: dict[str, float], rate: float) -> None:
    """The same load on both through the phases; the first one's bus is stopped during `away`."""
    for one in pair:
        one.load.start()
    number = 0
    for phase, seconds in phases.items():
        for one in pair:
            one.load.phase = phase
        switch = {"away": pair[0].bus.stop, "after": pair[0].bus.start}.get(phase)
        switched = asyncio.create_task(asyncio.to_thread(switch)) if switch else None
        began, sent, looked = time.monotonic(), 0, 0.0
        while (now := time.monotonic()) < began + seconds:
            while sent < (now - began) * rate:
                for one in pair:
                    one.load.give(number)
                number, sent = number + 1, sent + 1
            if now - looked > 1.0:
                looked = now
                for one in pair:
                    one.look()
            await asyncio.sleep(1 / rate)
        if switched is not None:
            await switched
        for one in pair:
            await asyncio.to_thread(one.note)
    for one in pair:
        await one.load.end()


def _bus(kind: str, folder: Path) -> tuple[Away, str]:
    if kind == "redis":
        server = RedisServer(folder / "redis", port=free_ports(1)[0])
        return server, server.url
    home = find_kafka()
    if home is None:
        raise UsageError("no Kafka to run: set KAFKA_HOME to a distribution (needs Java 17 or later)")
    broker = Broker(home, folder / "kafka")
    broker.format()
    return broker, f"kafka://127.0.0.1:{broker.port}"


def show(result: dict[str, Any]) -> None:
    """The table."""
    table = Table(title="{bus} away for {away_seconds:.0f} s at {rate:.0f} requests/s".format(**result))
    table.add_column("figure")
    for name in result["gateways"]:
        table.add_column(name, justify="right")
    for label, *values in outage_rows(result):
        table.add_row(label, *values)
    Console().print(table)


def outage_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """(figure, of the gateway whose bus was away, of the one beside it), for the screen and the page."""
    pair = list(result["gateways"].values())
    phases = list(pair[0]["milliseconds"])
    moved = "p99 moved by the outage (asked: at most 2 ms)"
    commit = "from reply to commit, latest 1,000, end of"
    return [
        *((f"{phase}: p50 / p99 / longest", *(_three(one["milliseconds"][phase]) for one in pair)) for phase in phases),
        (moved, *(f"{one['p99_moved_ms']:+.2f} ms" for one in pair)),
        ("RSS grown (asked: at most 128 MiB)", *(f"{one['rss_grown_mib']:+.1f} MiB" for one in pair)),
        *((f"{commit} {phase}", *(_three(one["commit_ms"][phase]) for one in pair)) for phase in phases),
        ("in the spool at the end of the outage", *(f"{one['spool_mib']:.1f} MiB" for one in pair)),
        ("requests answered / failed", *(f"{one['answered']} / {one['failed']}" for one in pair)),
        ("events missing / dropped and counted by the gateway", *(f"{r['missing']} / {r['dropped']}" for r in pair)),
        ("until the bus had all, after the load", f"{result['drained_seconds']:.1f} s", ""),
    ]


def _three(found: dict[str, float]) -> str:
    return "{p50:.2f} / {p99:.2f} / {max:.1f} ms".format(**found)
