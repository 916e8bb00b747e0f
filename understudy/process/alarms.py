"""Deadlines of many objects of one event loop, looked at together: a timer of the loop's own costs some microseconds.

A request sets and forgets several, and hardly one of them ever comes.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

TICK = 0.05
"""Seconds between two looks, and by how much an alarm may be late."""


class Alarmed(Protocol):
    """Whoever sets an alarm; equal to itself alone."""

    def alarm(self) -> None:
        """The time has come; the alarm is not set any more."""
        ...


class Alarms:
    """When whom to call, one time for each; of one event loop, and no other thread."""

    def __init__(self) -> None:
        self._due: dict[Alarmed, float] = {}
        self._looking: asyncio.TimerHandle | None = None

    def set(self, whom: Alarmed, seconds: float) -> None:
        """Call `whom` in so many seconds, up to `TICK` later, and not when it was to be called before."""
        loop = asyncio.get_running_loop()
        self._due[whom] = loop.time() + seconds
        if self._looking is None:
            self._looking = loop.call_later(TICK, self._look)

    def clear(self, whom: Alarmed) -> None:
        """Do not call it."""
        self._due.pop(whom, None)

    def _look(self) -> None:
        self._looking = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        try:
            for whom in [one for one, due in self._due.items() if due <= now]:
                if self._due.get(whom, now + 1) <= now:  # another one's call may have cleared it, or set it anew
                    del self._due[whom]
                    whom.alarm()
        finally:
            if self._due and self._looking is None:
                self._looking = loop.call_later(TICK, self._look)
