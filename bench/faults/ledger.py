"""What was sent, and what was believed: written before an event goes out, and again before its answer counts.

Knows nothing of the product: it compares ids, how often each had its effects, and the order within a session.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
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
    unspooled: int
    """Never answered, and without effects."""
    unspooled_ms: float
    """How long the oldest of them was under way when its gateway was killed."""
    foreign: int
    """Effects of events that were never sent."""


class LoadLedger:
    """Lines in a file, one for each thing that happened; used by several threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._mutex = threading.Lock()
        self._sent: dict[str, tuple[str, int, float]] = {}
        self._answers: dict[str, bool] = {}
        self._ages: dict[str, float] = {}

    def sending(self, event: str, session: str, seq: int) -> None:
        """An event is about to go out."""
        with self._mutex:
            self._file.write(json.dumps({"send": event, "session": session, "seq": seq}) + "\n")
            self._sent[event] = (session, seq, time.monotonic())

    def answered(self, event: str, ok: bool) -> None:
        """Its answer came."""
        with self._mutex:
            self._file.write(json.dumps({"answer": event, "ok": ok}) + "\n")
            self._answers[event] = ok

    def killed(self, events: Sequence[str]) -> None:
        """Whoever had `events` is dead."""
        now = time.monotonic()
        with self._mutex:
            for event in events:
                self._file.write(json.dumps({"killed": event}) + "\n")
                self._ages[event] = now - self._sent[event][2]

    def believed(self) -> set[str]:
        """Events that were acknowledged."""
        with self._mutex:
            return {event for event, ok in self._answers.items() if ok}

    def judge(self, seen: Mapping[str, int], order: Mapping[str, Sequence[int]]) -> Account:
        """Compare with how often each event had effects, and the order of `seq` by session."""
        believed = self.believed()
        wrong = sum(later <= earlier for places in order.values() for earlier, later in itertools.pairwise(places))
        never = [event for event in self._sent if event not in self._answers and event not in seen]
        return Account(
            acknowledged=len(believed),
            refused=sum(not ok for ok in self._answers.values()),
            lost=len(believed - seen.keys()),
            doubled=sum(count - 1 for count in seen.values()),
            out_of_order=wrong,
            unspooled=len(never),
            unspooled_ms=round(1000 * max((self._ages.get(event, 0.0) for event in never), default=0.0), 1),
            foreign=len(seen.keys() - self._sent.keys()),
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def effects(client: Any, seen: str, order: str) -> tuple[dict[str, int], dict[str, list[int]]]:
    """What Redis holds of the effects: counts by event, places by session."""
    counts = {name.decode(): int(count) for name, count in client.hgetall(seen).items()}
    places: dict[str, list[int]] = defaultdict(list)
    for key in client.scan_iter(match=f"{order}*", count=1000):
        places[key.decode()] = [int(place) for place in client.lrange(key, 0, -1)]
    return counts, dict(places)
