"""What was sent, and what was believed: written before an event goes out, and again before its answer counts.

Knows nothing of the product: it compares ids, how often each had its effects, and the order within a session.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the events."""

    acknowledged: int
    refused: int
    lost: int
    doubled: int
    out_of_order: int
    unsent: int
    """That no gateway took before it was killed: they were in a pipe of the load generator."""
    unspooled: int
    """That a gateway took, never answered, and that have no effects: lost with its memory."""
    unspooled_ms: dict[str, float]
    """For how long it had them when it was killed: p50, p99, max."""
    commit_ms: dict[str, float]
    """From a gateway's taking an event to its commit, of all that were acknowledged: p50, p99, max."""
    foreign: int
    """Effects of events that were never sent."""


class LoadLedger:
    """Lines in a file, one for each thing that happened; used by several threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._mutex = threading.Lock()
        self._sent: set[str] = set()
        self._answers: dict[str, bool] = {}
        self._taken: dict[str, float] = {}
        self._killed: dict[str, float] = {}
        self._commits: list[float] = []

    def sending(self, event: str, session: str, seq: int) -> None:
        """An event is about to go out."""
        with self._mutex:
            self._file.write(json.dumps({"send": event, "session": session, "seq": seq}) + "\n")
            self._sent.add(event)

    def taken(self, event: str, at: float) -> None:
        """A gateway has it in memory, since `at` on the monotonic clock."""
        with self._mutex:
            self._file.write(json.dumps({"taken": event, "at": at}) + "\n")
            self._taken[event] = at

    def answered(self, event: str, ok: bool, seconds: float) -> None:
        """Its answer came, so long after a gateway took it."""
        with self._mutex:
            self._file.write(json.dumps({"answer": event, "ok": ok}) + "\n")
            self._answers[event] = ok
            if ok:
                self._commits.append(1000 * seconds)

    def killed(self, events: Sequence[str], at: float) -> None:
        """Whoever had `events` was killed at `at` on the monotonic clock; its last words may come later."""
        with self._mutex:
            for event in events:
                self._file.write(json.dumps({"killed": event, "at": at}) + "\n")
                self._killed[event] = at

    def believed(self) -> set[str]:
        """Events that were acknowledged."""
        with self._mutex:
            return {event for event, ok in self._answers.items() if ok}

    def judge(self, seen: Mapping[str, int], order: Mapping[str, Sequence[int]]) -> Account:
        """Compare with how often each event had effects, and the order of `seq` by session."""
        believed = self.believed()
        wrong = sum(later <= earlier for places in order.values() for earlier, later in itertools.pairwise(places))
        never = self._sent - self._answers.keys() - seen.keys()
        unspooled = never & self._taken.keys()
        ages = [1000 * max(0.0, self._killed[event] - self._taken[event]) for event in unspooled & self._killed.keys()]
        return Account(
            acknowledged=len(believed),
            refused=sum(not ok for ok in self._answers.values()),
            lost=len(believed - seen.keys()),
            doubled=sum(count - 1 for count in seen.values()),
            out_of_order=wrong,
            unsent=len(never - unspooled),
            unspooled=len(unspooled),
            unspooled_ms=_percentiles(ages),
            commit_ms=_percentiles(self._commits),
            foreign=len(seen.keys() - self._sent),
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p99 and max; 0 without values."""
    ordered = sorted(values) or [0.0]
    at = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": -1}
    return {name: round(ordered[place], 1) for name, place in at.items()}


def effects(client: Any, seen: str, order: str) -> tuple[dict[str, int], dict[str, list[int]]]:
    """What Redis holds of the effects: counts by event, places by session."""
    counts = {name.decode(): int(count) for name, count in client.hgetall(seen).items()}
    places: dict[str, list[int]] = defaultdict(list)
    for key in client.scan_iter(match=f"{order}*", count=1000):
        places[key.decode()] = [int(place) for place in client.lrange(key, 0, -1)]
    return counts, dict(places)
