"""The time of a run, and how many steps fit into it: pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a run is timed. What the clock decides stands in the plan and the trajectory, not in the recipe."""

    seconds: float
    """For training, calibration included."""
    checkpoint_seconds: float = 10.0
    replan: bool = True
    """Fit the number of steps to the pace seen at each checkpoint."""


def revised(done: int, steps: int, spent: float, seconds: float, least: int, most: int) -> int:
    """Steps of the whole run, by the pace of the `done` ones, so that it ends after `seconds`.

    A difference below a tenth of what is left changes nothing. Never below `least` or above `most`.
    """
    wanted = int(min(max(seconds / max(spent / max(1, done), 1e-9), least, done + 1), most))
    return wanted if abs(wanted - steps) * 10 > steps - done else steps
