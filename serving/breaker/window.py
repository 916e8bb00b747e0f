"""How many of the last calls were bad, in four numbers whatever their rate."""

from __future__ import annotations


class RateWindow:
    """Counts over a window of `seconds`, kept as two halves.

    All of the last half window is counted, and nothing that is older than the window. Exact counts would hold each
    call's time, and a breaker of a user who floods would grow with the flood.
    """

    __slots__ = ("_bad", "_calls", "_former", "_half", "_since")

    def __init__(self, seconds: float, now: float) -> None:
        self._half = seconds / 2
        self.clear(now)

    def clear(self, now: float) -> None:
        """Forget everything."""
        self._calls = self._bad = 0
        self._former = (0, 0)
        self._since = now

    def add(self, bad: bool, now: float) -> None:
        """Count one call."""
        self._turn(now)
        self._calls += 1
        self._bad += bad

    def counts(self, now: float) -> tuple[int, int]:
        """How many calls, and how many of them were bad."""
        self._turn(now)
        return self._calls + self._former[0], self._bad + self._former[1]

    def _turn(self, now: float) -> None:
        """Begin another half where it is time; a clock that went back begins this half anew."""
        passed = now - self._since
        if passed < 0:
            self._since = now
        elif passed >= self._half:
            self._former = (self._calls, self._bad) if passed < 2 * self._half else (0, 0)
            self._calls = self._bad = 0
            self._since = now - passed % self._half
