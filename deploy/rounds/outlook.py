"""When a round will have ended, as far as anybody can say: pure, for views only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from deploy.rounds.record import Round
from deploy.rounds.table import STAGES

TIMED: Final = ("score", "distil", "evaluate")
"""Stages that share a round's budget."""
SHORT: Final = frozenset({"export", "register", "gate", "live"})
"""Stages that take seconds, and count as nothing before one was seen."""
LATEST: Final = 3
"""Rounds before the one under way by whose stages its end is told."""
SEEN: Final = 0.05
"""Share of a stage from which on its own pace says more than earlier rounds do."""


def seconds_left(
    this: Round, told: Mapping[str, Any] | None, before: Sequence[Round], now: float, canary: float | None = None
) -> float | None:
    """Seconds until the round ends if nothing is refused; None where nothing says, or it has ended.

    told: what the stage under way said of its progress. before: the `LATEST` earlier rounds, newest first. now: seconds
    since the epoch. canary: the longest that the canary's steps take in all.
    """
    if this.finished:
        return None
    at = STAGES.index(this.state)
    usual = {stage: _usual(stage, before) for stage in STAGES}
    if usual["canary"] is None:
        usual["canary"] = canary
    parts = [_under_way(this, told, usual[this.state], now), *(usual[stage] for stage in STAGES[at + 1 :])]
    if this.state in ("select", *TIMED) and this.budget is not None:
        rest = [usual[stage] for stage in STAGES[at + 1 :] if stage not in TIMED]
        spent = sum(record.seconds for stage, record in this.stages.items() if stage in TIMED)
        current = now - this.since if this.state in TIMED else 0.0
        parts = [max(0.0, this.budget - spent - current), *rest] if None in parts else parts
    return None if None in parts else sum(part for part in parts if part is not None)


def _usual(stage: str, before: Sequence[Round]) -> float | None:
    """Seconds that the stage took in the last round that ended it."""
    found = (one.stages[stage] for one in before if stage in one.stages)
    taken = next((record.seconds for record in found if record.event == "done"), None)
    return 0.0 if taken is None and stage in SHORT else taken


def _under_way(this: Round, told: Mapping[str, Any] | None, usual: float | None, now: float) -> float | None:
    spent = max(0.0, now - this.since)
    if told is not None and told.get("stage") == this.state:
        done, total = float(told.get("done", 0.0)), float(told.get("total", 0.0))
        if this.state == "canary" and total > 0:
            return max(0.0, total - done)
        if total > 0 and done / total >= SEEN:
            return spent * max(0.0, total - done) / done
    return None if usual is None else max(0.0, usual - spent)
