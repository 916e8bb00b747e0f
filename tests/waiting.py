"""The one way in which tests wait: until something holds, with a deadline and a word for what did not happen.

Deadlines and timeouts of tests are written for a machine that does little else, and are meant for what never happens;
where much else runs each is `PATIENCE` times as long.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

STEP_SECONDS, MOST_SECONDS = 0.05, 2.0
"""Between two looks, at least and at most."""
REST = 4.0
"""Times as long as a look took: whoever waits leaves the machine to what is waited for."""
PATIENCE = 4.0
LONG = 240.0
"""Seconds that a process which a test starts may take: more than a busy machine needs for any of them."""
DAY = 86_400.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test that says how long it may take so many times as much; others have it by the configuration."""
    for item in items:
        if said := item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(PATIENCE * said.args[0]), append=False)


def eventually(holds: Callable[[], object], seconds: float = 60.0, what: str = "what was waited for") -> None:
    """Wait until `holds()` is true; errors that vanish meanwhile do not count.

    Raises:
        AssertionError: it did not hold within `seconds`, with patience; names `what` and the last error.
    """
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    last: Exception | None = None
    while True:
        began = time.monotonic()
        try:
            if holds():
                return
        except Exception as error:
            last = error
        if (now := time.monotonic()) >= end:
            raise AssertionError(f"{what} did not happen within {seconds:g} s (last error: {last!r})")
        time.sleep(rest(now - began))


async def eventually_async(holds: Callable[[], object], seconds: float = 60.0, what: str = "it") -> None:
    """The same on the event loop, which goes on meanwhile."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    began = time.monotonic()
    while not holds():
        if (now := time.monotonic()) >= end:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        await asyncio.sleep(rest(now - began))
        began = time.monotonic()


def within_a_day(seconds: float) -> None:
    """Before what counts by the day (UTC) and takes so long: wait for the next one where this one ends within that.

    As everywhere, with patience.
    """
    if wait := until_next_day(time.time(), PATIENCE * seconds):
        time.sleep(wait + STEP_SECONDS)


def until_next_day(now: float, seconds: float) -> float:
    """Seconds until the day (UTC) of `now` is over; 0 where it is not within `seconds`."""
    left = DAY - now % DAY
    return left if left <= seconds else 0.0


def rest(took: float) -> float:
    """Seconds until the next look, after one that took so long."""
    return min(MOST_SECONDS, max(STEP_SECONDS, REST * took))


def hold(pid: int) -> None:
    """Stop a process, and return when none of its threads runs any more; SIGSTOP alone only asks for that."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")

    def stopped() -> bool:
        return all((one / "stat").read_text().rpartition(")")[2].split()[0] == "T" for one in threads.iterdir())

    eventually(stopped, what=f"the stop of process {pid}")
