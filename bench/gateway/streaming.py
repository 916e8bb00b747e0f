"""Slow streams held at once: what they are delayed by, in which order their events come, what they cost."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.gateway.load import counted
from bench.gateway.native import built
from bench.gateway.processes import CpuUsed, last_core, resident
from bench.gateway.requests import KEY, written

PAUSE_MS = 50
"""Between two events of a stream, as an engine that says 20 tokens a second."""
EVENTS = 400
NAMES = ("delay", "first", "gap")
"""Of the load's figures."""
RAMP_MS = 5000
"""In which all streams are begun."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Milliseconds."""

    p50: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True)
class StreamingResult:
    """Streams over one candidate; CPU of the candidate in microseconds an event."""

    streams: int
    held: int
    """Streams still running at the end, of so many."""
    errors: int
    incomplete: int
    """Streams that ended without all their events."""
    disordered: int
    """Events that were not the next of their stream."""
    events_per_second: float
    delay: Lag
    """From an engine's write of an event to the client's read."""
    first: Lag
    """From a request to its first event, which the engine writes after a pause."""
    gap: Lag
    """Between two events of a stream."""
    cpu_loop: float
    cpu_others: float
    rss_mb: float
    dropped: int
    seconds: float


def stream(folder: Path, port: int, process: psutil.Process | None, streams: int, seconds: float) -> StreamingResult:
    """Hold `streams` through `port` for `seconds` after all have begun; one that ends is followed by another."""
    dropped_before, _ = counted(port)
    cpu = CpuUsed.of(process)
    command = ["taskset", "-c", str(max(last_core())), str(built("streams", folder)), str(port),
               str(written(folder, 512, True)), KEY, str(streams), str(seconds), str(RAMP_MS), str(EVENTS)]  # fmt: skip
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    used, rss = CpuUsed.of(process), resident(process)
    dropped, _ = counted(port)
    each = 1e6 / max(1, told["chunks"])
    delay, first, gap = (Lag(*(told[name][k] / 1000 for k in ("p50", "p99", "most"))) for name in NAMES)
    return StreamingResult(
        streams, told["held"], told["errors"], told["incomplete"], told["disordered"],
        told["chunks"] / told["seconds"], delay, first, gap,
        (used.loop - cpu.loop) * each, (used.others - cpu.others) * each, rss, dropped - dropped_before,
        told["seconds"],
    )  # fmt: skip
