"""A round and its stages as they are told: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deploy.rounds.table import FINAL


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage that is over: when it began (seconds since the epoch), seconds taken, event, summary."""

    started: float
    seconds: float
    event: str
    summary: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Round:
    """A round as its folder tells it. `state` is the stage under way or one of `FINAL`."""

    id: int
    state: str
    parent: str
    teacher: str
    candidate: str | None
    why: str
    started: float
    stages: dict[str, StageRecord] = field(default_factory=dict)
    since: float = 0.0
    """When its state began."""
    budget: float | None = None
    """Seconds that its timed stages may take together; None where nobody said."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in FINAL
