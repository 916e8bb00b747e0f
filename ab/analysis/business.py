"""The business table: what an arm changes in session turns, takeovers and first responses that are right. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ab.analysis.assessing import PhaseUnits, whole_effect
from ab.sequential.bounds import ConfidenceSequence

BUSINESS = ("session_turns", "takeover", "first_response_correct")
"""Requests a session; takeovers a session; first responses that were right, of those that were judged."""
WIDTH = 0.015
"""Full width wanted of the 95 % interval: 1.5 points of a share; of turns 1.5 % of the first arm's."""
ALPHA = 0.05
DAYS = 30
"""After going live; units that came later are left out."""


@dataclass(frozen=True, slots=True)
class BusinessRow:
    """One KPI between the first arm and another: absolute effect with its always-valid 95 % interval, and per cent.

    `missing` units in each arm until the interval is as narrow as `wanted`; 0: it is; None: nothing can be said yet.
    """

    kpi: str
    arm: str
    old: float
    new: float
    effect: float
    percent: float
    lower: float
    upper: float
    wanted: float
    missing: int | None
    n: int

    @property
    def width(self) -> float:
        """Of the interval."""
        return self.upper - self.lower


def business(phases: Sequence[PhaseUnits], arms: Sequence[str], planned: int) -> Iterator[BusinessRow]:
    """A row for each KPI and further arm."""
    first, *others = arms
    for kpi in BUSINESS:
        for other in others:
            yield _row(phases, (first, other), kpi, planned)


def _row(phases: Sequence[PhaseUnits], arms: tuple[str, str], kpi: str, planned: int) -> BusinessRow:
    found = whole_effect(phases, arms, (kpi, None))
    interval = ConfidenceSequence(ALPHA, planned).around(found.value, found.error, found.n)
    wanted = WIDTH * (found.old if kpi == "session_turns" else 1.0)
    percent = 100 * found.value / found.old if found.old else math.nan
    missing: int | None = None
    if found.enough and 0 < found.error < math.inf and wanted > 0:
        narrow = interval.upper - interval.lower < wanted
        missing = 0 if narrow else max(1, math.ceil((units_for(wanted, found.error, found.n) - found.n) / 2))
    return BusinessRow(
        kpi, arms[1], found.old, found.new, found.value, percent, interval.lower, interval.upper,
        wanted, missing, found.n,
    )  # fmt: skip


def units_for(width: float, error: float, n: int) -> int:
    """Units of both arms for an interval of `width`, tuned to them, by the error of `n` of them.

    41,800 in each arm for 1.5 points of a share of 85 %; where a user's occasions are alike the error is larger, and so
    is this (the design effect).
    """
    multiple = ConfidenceSequence(ALPHA, 1_000).multiple(1_000)  # at the planned units it is the same for any plan
    return math.ceil(n * (2 * multiple * error / width) ** 2)
