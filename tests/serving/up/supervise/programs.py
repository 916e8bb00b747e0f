"""Programs for roles, and whether they live."""

from __future__ import annotations

import sys

import psutil

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")
"""Says that it is up, and sleeps."""
STUBBORN = (
    sys.executable, "-c",
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(p.pid, flush=True); "
    "time.sleep(60)",
)  # fmt: skip
"""Deaf to SIGTERM; has a child, whose process id it prints."""


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
