"""Memory of the gateway under a mixed load of minutes: what it holds each minute, and how much that grows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil

from bench.gateway.load import counted, wrk
from bench.gateway.processes import resident
from bench.gateway.requests import mixed

CONNECTIONS = 64
PAUSE_MS = 250.0
"""After each reply, to begin with: some 250 requests a second. Where events are dropped it is half as much more."""
UNITS = 5_000
"""Whom the gateway remembers is bounded; here all are met before memory is compared."""
TRIAL_SECONDS = 20.0
TRIALS = 5
SLACK = 1.5
"""Times as long as after the last trial is waited then: nothing is to pile up by chance."""
TEXTS = 22_000
"""So many are said before memory is looked at: the guard remembers its judgements of 20,000, and no more."""
LOOK_SECONDS = 2.0
PARTS = 10
"""Of the time; growth is that from the second of them on."""


@dataclass(frozen=True, slots=True)
class MemoryResult:
    """MiB, of the gateway's processes alone."""

    per_second: float
    errors: int
    dropped: int
    rss_mb: tuple[float, ...]
    """The median of each tenth of the time."""
    growth: float
    """The last tenth over the second: 0.02 is 2 %."""
    seconds: float


def remember(folder: Path, port: int, process: psutil.Process, seconds: float) -> MemoryResult:
    """Bodies of all sizes, streamed and not, for `seconds`, all of which are stored, after what is bounded is full."""
    lines, pause = mixed(folder), PAUSE_MS
    dropped_before, _ = counted(port)
    for _ in range(TRIALS):
        said, micros, *_ = wrk(folder, port, lines, CONNECTIONS, min(TRIAL_SECONDS, seconds), pause, UNITS)
        pause *= SLACK
        earlier, (dropped_before, _) = dropped_before, counted(port)
        if dropped_before == earlier:
            break
    filling = TEXTS / (said / micros * 1e6 / SLACK)
    wrk(folder, port, lines, CONNECTIONS, min(filling, seconds), pause, UNITS)
    dropped_before, _ = counted(port)
    seen: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(min(LOOK_SECONDS, seconds / PARTS / 2)):
            seen.append(resident(process))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        requests, micros, _, _, errors = wrk(folder, port, lines, CONNECTIONS, seconds, pause, UNITS)
    finally:
        over.set()
        looking.join()
    dropped, _ = counted(port)
    parts = tenths(seen)
    growth = parts[-1] / parts[1] - 1
    return MemoryResult(requests / micros * 1e6, errors, dropped - dropped_before, parts, growth, micros / 1e6)


def tenths(seen: Sequence[float]) -> tuple[float, ...]:
    """The median of each tenth of what was seen, at least one value in each."""
    if len(seen) < PARTS:
        raise ValueError(f"seen {len(seen)} times only")
    edges = [len(seen) * part // PARTS for part in range(PARTS + 1)]
    return tuple(median(seen[start:end]) for start, end in pairwise(edges))
