"""The one way in which tests wait: until something holds, with a deadline and a word for what did not happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

STEP_SECONDS = 0.05


def eventually(holds: Callable[[], object], seconds: float = 60.0, what: str = "what was waited for") -> None:
    """Wait until `holds()` is true; errors that vanish meanwhile do not count.

    Raises:
        AssertionError: it did not hold within `seconds`; names `what` and the last error.
    """
    end = time.monotonic() + seconds
    last: Exception | None = None
    while True:
        try:
            if holds():
                return
        except Exception as error:
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"{what} did not happen within {seconds:g} s (last error: {last!r})")
        time.sleep(STEP_SECONDS)


async def eventually_async(holds: Callable[[], object], seconds: float = 60.0, what: str = "it") -> None:
    """The same on the event loop, which goes on meanwhile."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() >= end:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        await asyncio.sleep(STEP_SECONDS)
