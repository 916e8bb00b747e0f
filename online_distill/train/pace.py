"""How a run is timed: what the clock decides stands in the trajectory, not in the recipe."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.clock import Clock, monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The time of a run, and how closely it is looked after."""

    seconds: float
    """For training."""
    token_seconds: float | None = None
    """Seconds a token in the last round, for the first plan; None: a few steps are timed."""
    checkpoint_seconds: float = 10.0
    replan: bool = True
    """Fit the plan to the pace seen at each checkpoint; without it the first one stands."""
    clock: Clock = monotonic
