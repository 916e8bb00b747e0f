"""What the guard counts: calls and seconds of each stage, verdicts by the stage that decided."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

STAGES = ("size", "fold", "decode", "repetition", "model", "endpoint", "deadline")


@dataclass(slots=True)
class GuardCounts:
    """Written by the event loop alone."""

    calls: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By stage, like `calls`."""
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

    def took(self, stage: str, seconds: float) -> None:
        """Count a call of a stage."""
        self.calls[stage] += 1
        self.seconds[stage] += seconds
