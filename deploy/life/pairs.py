"""What so few shadow pairs of a canary cannot say: whether it loses exact replies or facts. Pure.

Harm is what its guardrails look for. Here it is asked, once, when a candidate goes live, whether a loss of the gate's
margin can be excluded at the gate's level; that is said, not waited for. Pairs of one user are not independent, so they
count for as many as would vary as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ab.sequential.effects import Side
from ab.sequential.rollout import TwoArms
from ab.shares import Share, loss_bound, units_needed
from deploy.life.config import GateConfig
from feedback.kpis.names import EXACT, FACTS


@dataclass(frozen=True, slots=True)
class PairsJudgement:
    """`unknown`: what so few pairs cannot say, in words; empty where they say it. `figures`: as JSON."""

    unknown: str
    figures: dict[str, Any]


def judge_pairs(steps: Mapping[str, Sequence[TwoArms]], config: GateConfig) -> PairsJudgement:
    """Of all pairs since the canary began, by step; of each KPI the stable version's users and the candidate's."""
    figures: dict[str, Any] = {}
    needed = 0
    for name in (EXACT, FACTS):
        old, new = (_sum(sides) for sides in zip(*(steps.get(name) or [(Side(), Side())]), strict=True))
        before, after = _share(old), _share(new)
        counts = {"candidate": after.value, "n": _pairs(new), "stable": before.value, "n_stable": _pairs(old)}
        bound = loss_bound(before, after, config.alpha) if before.n and after.n else 1.0
        figures[name] = {**counts, "bound": bound}
        apart = _pairs(new) / after.n if after.n else 1.0
        needed = max(needed, round(apart * units_needed(before, after, config.margin, config.alpha)))
    return PairsJudgement(_unknown(figures, needed, config), {**figures, "needed": needed})


def _unknown(figures: dict[str, Any], needed: int, config: GateConfig) -> str:
    if all(figures[name]["bound"] <= config.margin for name in (EXACT, FACTS)):
        return ""
    pairs = min(figures[name]["n"] for name in (EXACT, FACTS))
    if not min(figures[name]["n_stable"] for name in (EXACT, FACTS)):
        beside = "have none of a student before it beside them"
        return f"{pairs} shadow pairs of the canary {beside}, so they exclude no loss of exact replies or facts"
    return (
        f"{pairs} shadow pairs of the canary cannot exclude a loss of {100 * config.margin:g} points of exact replies "
        f"or facts; about {needed} would"
    )


def _sum(sides: Sequence[Side]) -> Side:
    total = Side()
    for one in sides:
        total = total + one
    return total


def _pairs(side: Side) -> int:
    return round(float(side.moments.mean[1]) * side.n) if side.n else 0


def _share(side: Side) -> Share:
    """As many independent pairs as vary like those of these users: no more than there are, no fewer than users."""
    pairs = _pairs(side)
    if not pairs:
        return Share(0, 0)
    p, spread = side.ratio, side.variance / side.n
    alone = p * (1 - p) / spread if spread > 0 else side.n  # how much alike they are is not known then
    n = min(pairs, max(side.n, round(alone)))
    return Share(round(p * n), n)
