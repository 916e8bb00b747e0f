"""How long events were in memory alone, from `put` to their commit: what a kill at that moment would have lost."""

from __future__ import annotations

from collections import deque

LATEST = 1000
"""Events of which the delay is kept."""


class CommitDelays:
    """The delays of the latest events. One thread adds, any may ask."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=LATEST)

    def add(self, seconds: float) -> None:
        """An event was committed so long after it was put."""
        self._seconds.append(seconds)

    def told(self) -> dict[str, float]:
        """`commit_p50_seconds`, `commit_p99_seconds` and `commit_max_seconds`; 0 before the first event."""
        ordered = sorted(self._seconds.copy()) or [0.0]
        at = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": -1}
        return {f"commit_{name}_seconds": round(ordered[place], 6) for name, place in at.items()}
