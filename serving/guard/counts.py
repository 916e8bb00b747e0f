"""What the guard counts: calls and seconds of each stage, verdicts by the stage that decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

STAGES = ("size", "fold", "decode", "repetition", "model")


@dataclass(slots=True)
class GuardCounts:
    """Written by the event loop alone."""

    calls: list[int] = field(default_factory=lambda: [0] * len(STAGES))
    """By place in `STAGES`, like `seconds`; size is looked at once a request, the others at each slice."""
    seconds: list[float] = field(default_factory=lambda: [0.0] * len(STAGES))
    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Requests by (mode, verdict, stage)."""
    signals: Counter[str] = field(default_factory=Counter)
    """Texts by what had to be taken away from them."""
    codes: Counter[str] = field(default_factory=Counter)
    """Texts that were decoded, by code."""
    partial: int = 0
    """Requests of which parts were not looked at."""
    remembered: int = 0
    """Texts whose judgement was known."""

    def took(self, first: int, *instants: float) -> None:
        """Count one call of each stage from `first` on, between successive instants."""
        calls, seconds = self.calls, self.seconds
        before = instants[0]
        for stage, instant in enumerate(instants[1:], first):
            calls[stage] += 1
            seconds[stage] += instant - before
            before = instant
