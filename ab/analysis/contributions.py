"""What each line of business contributes to an effect: its share of the occasions times its own effect. Pure.

A description, not a cause: lines are no arms, nobody draws them by chance, and an arm may change who asks where.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ab.analysis.assessing import PhaseUnits, whole_effect
from ab.analysis.business import ALPHA
from ab.sequential.bounds import ConfidenceSequence


@dataclass(frozen=True, slots=True)
class LineContribution:
    """`value` is `share` times `effect`, with the always-valid 95 % interval of the effect times the share.

    `share`: of the KPI's occasions (sessions, replies, what was judged), the mean of both arms' shares.
    """

    line: str
    n: int
    share: float
    effect: float
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class LineContributions:
    """Of one KPI between the first arm and another: contributions of lines and `composition` add up to `effect`.

    Composition is what is left: that the arms' occasions lie otherwise between lines, phases that weigh otherwise
    within a line, and what lines with fewer than two units in an arm did.
    """

    kpi: str
    arm: str
    old: float
    new: float
    effect: float
    lines: tuple[LineContribution, ...]
    composition: float


def contributions(
    whole: Sequence[PhaseUnits], lines: Mapping[str, Sequence[PhaseUnits]], arms: Sequence[str], kpis: Sequence[str],
    planned: int,
) -> Iterator[LineContributions]:  # fmt: skip
    """Of each KPI and further arm for which the whole effect and that of some line are known."""
    first, *others = arms
    for kpi in kpis:
        for other in others:
            found = whole_effect(whole, (first, other), (kpi, None))
            parts = [_line(name, of, whole, (first, other), kpi, planned) for name, of in lines.items()]
            known = tuple(one for one in parts if math.isfinite(one.value))
            if math.isfinite(found.value) and known:
                rest = found.value - math.fsum(one.value for one in known)
                yield LineContributions(kpi, other, found.old, found.new, found.value, known, rest)


def _line(
    name: str, phases: Sequence[PhaseUnits], whole: Sequence[PhaseUnits], arms: tuple[str, str], kpi: str, planned: int
) -> LineContribution:
    found = whole_effect(phases, arms, (kpi, None))
    shares = [_occasions(phases, arm, kpi) / all_of if (all_of := _occasions(whole, arm, kpi)) else 0.0 for arm in arms]
    share = math.fsum(shares) / 2
    interval = ConfidenceSequence(ALPHA, planned).around(found.value, found.error, found.n)
    return LineContribution(
        name, found.n, share, found.value, share * found.value, share * interval.lower, share * interval.upper
    )


def _occasions(phases: Sequence[PhaseUnits], arm: str, kpi: str) -> float:
    """Sum of the KPI's denominators."""
    sides = [phase.side(arm, kpi) for phase in phases]
    return math.fsum(side.n * float(side.moments.mean[1]) for side in sides if side.n)
