"""How old the oldest event of a partition is that has had no effects, and how many have theirs a second."""

from __future__ import annotations

import json
from collections import Counter, deque

from feedback.bus.protocol import Place
from understudy.clock import Clock, monotonic, wall

SECONDS = 10.0
"""Over which rates are taken."""


class Meter:
    """Figures of the partitions that one worker reads."""

    def __init__(self, clock: Clock = monotonic, time_of_day: Clock = wall) -> None:
        self._clock = clock
        self._wall = time_of_day
        self._ages: dict[Place, float] = {}
        self._done: dict[Place, deque[tuple[float, int]]] = {}
        self.total: Counter[str] = Counter()
        """Events that had their effects, by topic."""

    def waited(self, topic: str, part: int, at: float | None) -> None:
        """The oldest event of the partition came to the bus at `at`; None: there is none."""
        self._ages[topic, part] = max(0.0, self._wall() - at) if at else 0.0

    def applied(self, topic: str, part: int, events: int) -> None:
        """So many had their effects now."""
        done = self._done.setdefault((topic, part), deque())
        self.total[topic] += events
        if events:
            done.append((self._clock(), events))
        while done and done[0][0] < self._clock() - SECONDS:
            done.popleft()

    def told(self, topic: str, part: int) -> str:
        """The figures of a partition as JSON: `oldest_seconds`, `per_second`, and when they were taken."""
        rate = sum(count for _, count in self._done.get((topic, part), ())) / SECONDS
        age = self._ages.get((topic, part), 0.0)
        return json.dumps({"oldest_seconds": round(age, 3), "per_second": round(rate, 3), "at": round(self._wall(), 3)})
