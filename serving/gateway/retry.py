"""How often a request may be asked again of the other arm: a share of all, and some each second."""

from __future__ import annotations

from understudy.clock import Clock, monotonic

RESERVE = 20.0
"""Fallbacks that may happen at once: as many as an engine's breaker counts before it opens."""
EACH_SECOND = 10.0
"""Fallbacks that each second adds, whatever the traffic: below that rate nobody's request fails for want of a budget,
and no teacher is harmed by so few. Finagle's retry budget has the same floor."""


class RetryBudget:
    """A bucket of fallbacks: each request adds `share`, each second `EACH_SECOND`, each fallback takes one."""

    def __init__(self, share: float, clock: Clock = monotonic) -> None:
        self._share = share
        self._clock = clock
        self._left = RESERVE
        self._since = clock()

    def earn(self) -> None:
        """Count a request."""
        self._left = min(RESERVE, self._left + self._share)

    def take(self) -> bool:
        """Whether one more fallback is allowed; counts it if so."""
        if self._share == 0:
            return False
        now = self._clock()
        self._left = min(RESERVE, self._left + EACH_SECOND * max(0.0, now - self._since))
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
