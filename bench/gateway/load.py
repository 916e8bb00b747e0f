"""One candidate under one workload: wrk's figures, its CPU by thread, and whether an event was dropped."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from bench.gateway.processes import CpuUsed, last_core, resident
from bench.gateway.requests import PATH, script

DRAIN_SECONDS = 60.0
"""For what was captured to reach the spool, after the load."""
OLD_SECONDS = 1.5
"""As old may be at most what one worker's page tells of the others."""
TRIES = 4
SLOWER = 0.8
"""Of the rate at which events were stored, when the load is tried again without a drop."""
DROPPED = re.compile(
    r"^understudy_gateway_(?:events_total\{event=\"capture_\w+\"\}|outbox_dropped_\w+|outbox_lost) (\S+)$", re.M
)
QUEUED = re.compile(r"^understudy_gateway_outbox_queued (\S+)$", re.M)
STORED = re.compile(r"^understudy_gateway_outbox_stored (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class Workload:
    """What is sent: bodies of so many bytes over so many connections."""

    size: int
    stream: bool
    connections: int

    def __str__(self) -> str:
        size = "0.5" if self.size == 512 else str(self.size >> 10)
        return f"{'stream' if self.stream else 'short'}, {size} KB, c={self.connections}"


@dataclass(frozen=True, slots=True)
class GatewayResult:
    """One candidate under one workload; latencies in milliseconds, CPU of the candidate in microseconds a request."""

    per_second: float
    p50: float
    p99: float
    cpu_loop: float
    """Of the thread of the event loop, of all workers."""
    cpu_others: float
    """Of all other threads."""
    rss_mb: float
    errors: int
    dropped: int
    """Events; with one the row is void."""
    stored: int
    """Events that reached the spool in and after the measurement."""
    paused: float = 0.0
    """Milliseconds that the load waited after each reply, so that no event is dropped."""


def drive(
    folder: Path, port: int, process: psutil.Process | None, load: Workload, seconds: float, workers: int = 1,
    pause: float = 0.0,
) -> GatewayResult:  # fmt: skip
    """Load `port` as fast as it goes, and where events were dropped again at the rate at which they are stored.

    `pause`: the milliseconds to begin with after each reply.
    """
    old = OLD_SECONDS if workers > 1 else 0.0
    done = _driven(folder, port, process, load, seconds, pause, old)
    for _ in range(TRIES):
        if not done.dropped:
            break
        rate = min(done.per_second, done.stored / seconds) * SLOWER
        slower = max(1.0, pause, load.connections * 1000 / max(1.0, rate))
        done = _driven(folder, port, process, load, seconds, slower, old)
    return done


def _driven(
    folder: Path, port: int, process: psutil.Process | None, load: Workload, seconds: float, pause: float, old: float
) -> GatewayResult:
    command = [
        "taskset", "-c", str(max(last_core())), "wrk", "-t1", f"-c{load.connections}", "--timeout", "10",
        "-s", str(script(folder, load.size, load.stream, pause)),
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}{PATH}"
    subprocess.run([*command, "-d1", url], capture_output=True, check=True)
    time.sleep(old)
    _, before = counted(port)
    cpu, dropped_before = CpuUsed.of(process), _dropped(port)
    run = subprocess.run([*command, f"-d{max(1, round(seconds))}", url], capture_output=True, text=True, check=True)
    used = CpuUsed.of(process)
    match = re.search(r"RES (\d+) (\d+) (\d+) (\d+) (\d+)", run.stdout)
    assert match, run.stdout
    requests, micros, p50, p99, errors = map(int, match.groups())
    rss = resident(process)
    time.sleep(old)
    dropped, after = counted(port)
    each = 1e6 / max(requests, 1)
    return GatewayResult(
        requests / micros * 1e6, p50 / 1000, p99 / 1000,
        (used.loop - cpu.loop) * each, (used.others - cpu.others) * each,
        rss, errors, dropped - dropped_before, after - before, pause,
    )  # fmt: skip


def counted(port: int) -> tuple[int, int]:
    """Events dropped and stored so far, once none waits in memory; zeros of a candidate that counts none."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        page = _metrics(port)
        queued = QUEUED.search(page)
        if queued is None or float(queued.group(1)) == 0 or time.monotonic() > deadline:
            stored = STORED.search(page)
            waiting = 0 if queued is None else float(queued.group(1))
            return dropped_of(page) + int(waiting), int(float(stored.group(1))) if stored else 0
        time.sleep(0.05)


def dropped_of(page: str) -> int:
    """Events that a page of metrics says were lost."""
    return int(sum(float(value) for value in DROPPED.findall(page)))


def _dropped(port: int) -> int:
    return dropped_of(_metrics(port))


def _metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
            page: str = reply.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return page if "understudy_gateway" in page else ""


def void(result: GatewayResult) -> GatewayResult:
    """The row as it is shown: without a rate where events were dropped."""
    return replace(result, per_second=0.0) if result.dropped else result
