"""What the application saw: JSON lines in `RUN/traffic.jsonl`, read as they grow, summed in bounded space.

A row: t, end (seconds since the epoch), family (kind of question), session, messages, ok, error, truncated, mixed,
arm, version, stream, ttft, gap (longest, seconds), gap_at, fact (whether the reply states what it must; null: nobody
knows), reply.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, deque
from pathlib import Path
from typing import Any

from understudy.clock import Clock, wall

RECENT = 60
"""Replies of a family over which the share of right facts is taken."""
WINDOW = 10.0
"""Seconds over which the rate is taken."""
SESSIONS = 10_000
"""The latest sessions whose kind of question is known."""
CHUNK = 4 << 20


class TrafficTail:
    """Counters over all rows read so far, and the outcome of the latest ones by family."""

    def __init__(self, path: Path, clock: Clock = wall) -> None:
        self._path = path
        self._clock = clock
        self._offset = 0
        self._rest = b""
        self.sent = self.failed = self.truncated = self.mixed = 0
        self.arms: Counter[str] = Counter()
        self.families: Counter[str] = Counter()
        self.facts: dict[str, deque[bool]] = {}
        self._family_of: OrderedDict[str, str] = OrderedDict()
        self._began: float | None = None
        self._ends: deque[float] = deque()
        self.last_error = ""

    def read(self) -> None:
        """Take in what was appended since the last call, at most a few MiB of it."""
        try:
            size = self._path.stat().st_size
            if size < self._offset:
                self._offset, self._rest = 0, b""
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(CHUNK)
        except OSError:
            return
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                self.take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                continue

    def take(self, row: dict[str, Any]) -> None:
        """Count one row."""
        self.sent += 1
        self.failed += not row["ok"]
        self.truncated += bool(row["truncated"])
        self.mixed += bool(row["mixed"])
        self.families[row["family"]] += 1
        self._family_of[row["session"]] = row["family"]
        if len(self._family_of) > SESSIONS:
            self._family_of.popitem(last=False)
        end = float(row["end"])
        self._began = end if self._began is None else self._began
        self._ends.append(end)
        while self._ends[0] < end - WINDOW:
            self._ends.popleft()
        if row["arm"]:
            self.arms[row["arm"]] += 1
        if not row["ok"]:
            self.last_error = str(row["error"])
        if row["arm"] == "student" and row["ok"] and row["fact"] is not None:
            self.facts.setdefault(row["family"], deque(maxlen=RECENT)).append(bool(row["fact"]))

    def family(self, session: str) -> str | None:
        """The kind of question that was asked in `session`; None where it is not known, or no longer."""
        return self._family_of.get(session)

    def right(self, family: str) -> float | None:
        """Share of the student's latest replies to `family` whose facts were right; None before the first."""
        seen = self.facts.get(family)
        return sum(seen) / len(seen) if seen else None

    @property
    def rate(self) -> float:
        """Replies in a second, over the last ten seconds; falls to 0 where none come."""
        now = self._clock()
        span = min(WINDOW, max(1.0, now - (now if self._began is None else self._began)))
        return sum(end > now - WINDOW for end in self._ends) / span
