"""Exchanges openings with the other gateways beside the request path; without a Redis each gateway's own count."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from serving.breaker.openings import Opening, Openings
from serving.breaker.users import UserBreakers

log = logging.getLogger("understudy.gateway")
SECONDS = 0.25
"""Between two exchanges."""
MOST_UNTOLD = 1_000
"""Openings kept while Redis is away; beyond it the oldest are dropped and counted."""


class Sharing:
    """`tell` is called by the event loop; `run` exchanges from a thread of its own until cancelled.

    `find` gives the stream, None while nobody knows of a Redis.
    """

    def __init__(self, find: Callable[[], Openings | None], seconds: float = SECONDS) -> None:
        self.dropped = 0
        self.seconds = seconds
        self._find = find
        self._openings: Openings | None = None
        self._untold: deque[Opening] = deque()

    def tell(self, name: str, seconds: float) -> None:
        """A breaker opened here."""
        self._untold.append(Opening(name, seconds))
        if len(self._untold) > MOST_UNTOLD:
            self._untold.popleft()
            self.dropped += 1

    async def run(self, breakers: UserBreakers) -> None:
        """Tell what opened here, and let `breakers` follow what the others tell."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "openings") as thread:
            while True:
                try:
                    for opening in await loop.run_in_executor(thread, self._exchange):
                        follow(breakers, opening)
                except Exception:  # whatever it is: the breakers of this gateway go on
                    log.exception("cannot exchange openings with the other gateways")
                await asyncio.sleep(self.seconds)

    def _exchange(self) -> list[Opening]:
        if self._openings is None:
            self._openings = self._find()
        if self._openings is None:
            return []
        while self._untold and self._openings.tell(self._untold[0]):
            self._untold.popleft()
        return self._openings.news()


def follow(breakers: UserBreakers, opening: Opening) -> None:
    """Let `breakers` do as another gateway's did."""
    if opening.seconds:
        breakers.strike(opening.name, opening.seconds)
    else:
        breakers.release(opening.name)
