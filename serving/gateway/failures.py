"""Requests that failed on our side of the client: each is counted by arm and cause, and told once a minute."""

from __future__ import annotations

import logging

from serving.gateway.metrics import Metrics
from understudy.clock import Clock

log = logging.getLogger("understudy.gateway")
AGAIN = 60.0
"""Seconds in which one arm's failures of one cause give one line."""


class Failures:
    """Counts and tells; the causes are a small fixed set and statuses of HTTP, so what it remembers is bounded."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        """By arm and cause: when the last line was written, and how many failures there were by then."""

    def note(self, arm: str, cause: str, why: str) -> None:
        """One more; `arm` is empty where none was chosen. An attempt counts, too, for which the other arm stands in."""
        key = (arm, cause)
        self._metrics.failures[key] += 1
        count, now = self._metrics.failures[key], self._clock()
        at, before = self._told.get(key, (-AGAIN, 0))
        if now - at < AGAIN and before:
            return
        more = count - before - 1
        log.warning(
            "request failed (%s%s): %s%s", f"{arm}, " if arm else "", cause, why,
            f"; {more} more like it since the last line" if more else "",
        )  # fmt: skip
        self._told[key] = (now, count)
