"""One candidate under one workload: wrk's figures, its CPU by thread, and whether an event was dropped."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.gateway.processes import CpuUsed, last_core, resident
from bench.gateway.requests import PATH, script, written

DRAIN_SECONDS = 60.0
"""For what was captured to reach the spool, after the load."""
OLD_SECONDS = 1.5
"""As old may be at most what one worker's page tells of the others."""
LOOK_SECONDS = 5.0
"""Of a look at the rate at which events are stored, before a longer measurement."""
LOOKS = 3
CLIMBS = 4
"""Looks at a rate between one that was too much and one that was not."""
LATE = 0.1
"""Of a look's length, in which everything must have been stored after it."""
TRIES = 3
SLOWER = 0.9
"""Of the rate at which events were stored, when the load is tried again without a drop."""
DROPPED = re.compile(
    r"^understudy_gateway_(?:events_total\{event=\"capture_\w+\"\}|outbox_dropped_\w+|outbox_lost) (\S+)$", re.M
)
QUEUED = re.compile(r"^understudy_gateway_outbox_queued (\S+)$", re.M)
STORED = re.compile(r"^understudy_gateway_outbox_stored (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class Workload:
    """What is sent: bodies of so many bytes over so many connections; `events` of a stream, 0: no stream."""

    size: int
    events: int
    connections: int

    def __str__(self) -> str:
        size = "0.5" if self.size == 512 else str(self.size >> 10)
        return f"{f'stream of {self.events}' if self.events else 'short'}, {size} KB, c={self.connections}"


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
    seconds: float = 0.0
    """For how long the rate was held."""
    behind: float = 0.0
    """Seconds after the load until every event was stored."""
    paused: float = 0.0
    """Milliseconds that the load waited after each reply, so that no event is dropped."""


def drive(
    folder: Path, port: int, process: psutil.Process | None, load: Workload, seconds: float, workers: int = 1,
    pause: float = 0.0,
) -> GatewayResult:  # fmt: skip
    """Load `port` as fast as it goes for `seconds`; where events are not stored as fast, at the rate at which they are.

    `pause`: the milliseconds to begin with after each reply.
    """
    old = OLD_SECONDS if workers > 1 else 0.0
    if process is not None and seconds > LOOK_SECONDS:
        pause = paced(lambda pause: _driven(folder, port, process, load, LOOK_SECONDS, pause, old), load, pause)
    done = _driven(folder, port, process, load, seconds, pause, old)
    for _ in range(TRIES):
        if not done.dropped:
            break
        done = _driven(folder, port, process, load, seconds, slower(done, load.connections), old)
    return done


def paced(look: Callable[[float], GatewayResult], load: Workload, pause: float) -> float:
    """Milliseconds to wait after each reply, from `pause` on, so that all is stored and little more would not be."""
    too_fast = pause
    for _ in range(LOOKS):
        seen = look(pause)
        if not late(seen):
            break
        too_fast, pause = pause, slower(seen, load.connections)
    for _ in range(CLIMBS):
        between = (too_fast + pause) / 2
        if between - too_fast < 1:
            break
        if late(look(between)):
            too_fast = between
        else:
            pause = between
    return pause


def late(result: GatewayResult) -> bool:
    """Whether events came faster than they were stored, so that some are dropped if only it goes on for long."""
    return bool(result.dropped) or result.behind > LATE * result.seconds


def slower(result: GatewayResult, connections: int) -> float:
    """Milliseconds of pause after each reply with which what is asked is less than what was stored."""
    rate = min(result.per_second, result.stored / (result.seconds + result.behind)) * SLOWER
    waits = result.p50 if result.paused else 0.0  # what a reply takes under a load that is too much says nothing
    return max(1.0, result.paused + 1, connections * 1000 / max(1.0, rate) - waits)


def _driven(
    folder: Path, port: int, process: psutil.Process | None, load: Workload, seconds: float, pause: float, old: float
) -> GatewayResult:
    lines = written(folder, load.size, load.events > 0)
    wrk(folder, port, lines, load.connections, 1, pause)
    time.sleep(old)
    _, before = counted(port)
    cpu, dropped_before = CpuUsed.of(process), dropped_now(port)
    requests, micros, p50, p99, errors = wrk(folder, port, lines, load.connections, seconds, pause)
    used = CpuUsed.of(process)
    rss = resident(process)
    ended = time.monotonic()
    time.sleep(old)
    dropped, after = counted(port)
    behind = time.monotonic() - ended - old
    each = 1e6 / max(requests, 1)
    return GatewayResult(
        requests / micros * 1e6, p50 / 1000, p99 / 1000,
        (used.loop - cpu.loop) * each, (used.others - cpu.others) * each,
        rss, errors, dropped - dropped_before, after - before, micros / 1e6, behind, pause,
    )  # fmt: skip


def wrk(
    folder: Path, port: int, lines: Path, connections: int, seconds: float, pause: float, units: int = 0
) -> tuple[int, int, int, int, int]:
    """Load `port` from the last core: requests, microseconds, their p50 and p99 in microseconds, and failures.

    A request that takes long counts for those that would have begun meanwhile, too (wrk's `stats_correct`).
    """
    command = [
        "taskset", "-c", str(max(last_core())), "wrk", "-t1", f"-c{connections}", "--timeout", "10",
        "-s", str(script(folder, lines, pause, units)), f"-d{max(1, round(seconds))}", f"http://127.0.0.1:{port}{PATH}",
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    match = re.search(r"RES (\d+) (\d+) (\d+) (\d+) (\d+)", run.stdout)
    assert match, run.stdout
    requests, micros, p50, p99, errors = map(int, match.groups())
    return requests, micros, p50, p99, errors


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


def dropped_now(port: int) -> int:
    """Events that were lost so far; none of a candidate that counts none."""
    return dropped_of(_metrics(port))


def _metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
            page: str = reply.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return page if "understudy_gateway" in page else ""
