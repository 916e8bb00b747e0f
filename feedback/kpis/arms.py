"""The units of an experiment's phases, from sums over distinct users by arm and hour of first exposure. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ab.analysis.assessing import Column, PhaseUnits
from ab.guardrails import TAILS
from ab.sequential.effects import Side
from feedback.kpis.figures import Sums, added
from feedback.kpis.ratios import CellRatio, adjusted, side

Hourly = Mapping[int, Sums]
"""Sums by hour of first exposure, in hours since the epoch."""
CountedPhases = Mapping[int, Mapping[str, Hourly]]
"""{phase: {arm: {hour of first exposure: sums}}}"""


def phase_units(
    wanted: Iterable[Column], known: Mapping[str, CellRatio], shares: Mapping[str, float], sums: Mapping[str, Sums]
) -> PhaseUnits:
    """One phase of the `sums` of its arms; KPIs that are no ratio are left out."""
    units = {arm: round(of.get("users", 0.0)) for arm, of in sums.items()}
    ratios = [(column, known[column[0]], adjusted(*column)) for column in wanted if column[0] in known]
    sides: dict[tuple[str, Column], Side] = {
        (arm, column): found
        for arm, of in sums.items() for column, ratio, name in ratios if (found := side(of, ratio, name)).n
    }  # fmt: skip
    return PhaseUnits(shares, {**dict.fromkeys(shares, 0), **units}, sides, tails=frozenset(TAILS))


def counted_before(phases: CountedPhases, until: Iterable[float]) -> dict[float, dict[int, dict[str, Sums]]]:
    """By hour the sums of each phase and arm of what was exposed before it: one way through all cohorts."""
    hours = sorted(set(until))
    seen = {n: {arm: grown(of, hours) for arm, of in arms.items()} for n, arms in phases.items()}
    return {
        hour: {n: {arm: of[at] for arm, of in arms.items()} for n, arms in seen.items()}
        for at, hour in enumerate(hours)
    }


def grown(hourly: Hourly, until: Sequence[float]) -> list[dict[str, float]]:
    """Sums of what was exposed before each of these hours, which are in order; where nothing came the same again."""
    parts, found, total = sorted(hourly.items()), list[dict[str, float]](), dict[str, float]()
    at = 0
    for hour in until:
        end = next((n for n in range(at, len(parts)) if parts[n][0] >= hour), len(parts))
        total = added([total, *(sums for _, sums in parts[at:end])]) if end > at else total
        found.append(total)
        at = end
    return found


def looks(arms: Iterable[Hourly], most: int) -> list[int]:
    """Hours at which something new was counted, thinned to `most` and always with the last."""
    hours = sorted({hour + 1 for part in arms for hour in part})
    if len(hours) <= most:
        return hours
    step = (len(hours) - 1) / (most - 1)
    return sorted({hours[round(at * step)] for at in range(most)})


def history(ratio: CellRatio, arms: Iterable[Hourly]) -> tuple[Side, float | None]:
    """Users of the arms that have part in a KPI, and how many new ones came in a day; None: in less than an hour."""
    arms = list(arms)
    hours = sorted({hour for part in arms for hour in part})
    whole = [added(part.values()) for part in arms]
    past = sum((side(of, ratio) for of in whole), Side())
    if len(hours) < 2:
        return past, None
    return past, max(of.get("users", 0.0) for of in whole) * 24 / (hours[-1] - hours[0] + 1)
