"""The figures of an outbox whose process may have been replaced: what counts up goes on from where it stood."""

from __future__ import annotations

from typing import Any

from feedback.outbox.apart.frames import OutboxStats
from feedback.outbox.outbox import REASONS

COUNTED = ("stored", "published", "lost", "dead")
LEVELS = {
    "pending": 0, "oldest_seconds": 0.0, "per_second": 0.0, "spool_bytes": 0, "bus_up": True, "alive": True,
    "commit_p50_seconds": 0.0, "commit_p99_seconds": 0.0, "commit_max_seconds": 0.0,
}  # fmt: skip
"""What a process that has said nothing yet is taken for."""
DIED = "process"
"""The reason of what was under way when a process died."""


class OutboxFigures:
    """Adds up what all processes of one outbox told."""

    def __init__(self) -> None:
        self._dropped = dict.fromkeys((*REASONS, DIED), 0)
        self._counted = dict.fromkeys(COUNTED, 0)
        self._now: OutboxStats = {}

    def drop(self, reason: str, count: int = 1) -> None:
        """So many items were dropped here."""
        self._dropped[reason] += count

    def take(self, stats: OutboxStats) -> None:
        """What the process that runs says now."""
        self._now = {**self._now, **stats}

    def ended(self, lost: int) -> None:
        """The process is gone, and `lost` items with it."""
        for name in COUNTED:
            self._counted[name] += self._now.get(name, 0)
        for reason, count in self._now.get("dropped", {}).items():
            self._dropped[reason] += count
        self._now = {name: value for name, value in self._now.items() if name in LEVELS}
        self.drop(DIED, lost)

    def told(self, queued: int, alive: bool) -> OutboxStats:
        """As `Outbox.stats`; `queued` items are not over, and a process is `alive` or not."""
        now: dict[str, Any] = self._now
        dropped = now.get("dropped", {})
        return {
            **LEVELS, **{name: now[name] for name in LEVELS if name in now},
            **{name: count + now.get(name, 0) for name, count in self._counted.items()},
            "queued": queued, "alive": alive and now.get("alive", True),
            "dropped": {reason: count + dropped.get(reason, 0) for reason, count in self._dropped.items()},
        }  # fmt: skip
