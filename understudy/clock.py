"""Time as an argument, so that decisions can be tested without waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

Clock = Callable[[], float]
"""Returns seconds; wall clock for records, monotonic for deadlines."""

wall: Clock = time.time
monotonic: Clock = time.monotonic


def boottime() -> float:
    """Seconds since this machine started, sleep included; the same for all its processes, moved by no setting."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def boot_id() -> str:
    """Which start of which machine `boottime` counts from; empty where that cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
