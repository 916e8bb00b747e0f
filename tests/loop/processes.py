"""Finding the processes of a running system by what they were started as."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil


def find_role(state: Path, *words: str) -> psutil.Process:
    """The process of `understudy WORDS... --state STATE`.

    Raises:
        LookupError: there is none now.
    """
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if str(state) in " ".join(line) and all(word in line for word in words):
            return process
    raise LookupError(f"no process of {words} on {state}")


def eventually(check: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `check` holds; errors that vanish meanwhile do not count.

    Raises:
        TimeoutError: it did not hold within `seconds`.
    """
    end = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < end:
        try:
            if check():
                return
        except Exception as error:
            last = error
        time.sleep(0.2)
    raise TimeoutError(f"{what} did not happen within {seconds:.0f} s (last error: {last!r})")
