"""What a canary does worse than the stable version, judged at every look, over users and step by step. Pure.

Every guardrail is a one-sided confidence sequence; together they err once in 1 / `ALPHA` rollouts at most. A step of
the rollout is a phase: effects are computed within it and then combined, since traffic changes from step to step and
so do the shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ab.guardrails import Guardrail
from ab.sequential.effects import Side, combined, effect
from ab.sequential.judging import RailFinding, watch

ALPHA = 0.01
"""False rollbacks, over all guardrails together."""
PLANNED = 2_000
"""Users, in even arms, at which the intervals are narrowest."""
TwoArms = tuple[Side, Side]
"""The stable version's users and the candidate's, of one KPI in one step."""


def watched(rails: Sequence[Guardrail], steps: Mapping[str, Sequence[TwoArms]]) -> tuple[RailFinding, ...]:
    """Every guardrail's finding; `steps` holds each KPI's arms by step. One without users is "too few"."""
    return tuple(_watched(rail, steps.get(rail.kpi, ()), ALPHA / len(rails)) for rail in rails)


def breach(found: Sequence[RailFinding]) -> str | None:
    """The first guardrail that says harm, in words; None: none does."""
    for one in found:
        if one.verdict == "harm":
            return f"{one.kpi} is worse by {one.worse:.3f}, at least {one.lower:.3f}; its guardrail allows {one.limit}"
    return None


def _watched(rail: Guardrail, steps: Sequence[TwoArms], alpha: float) -> RailFinding:
    whole = combined([effect(old, new, rail.max_ratio or 1.0) for old, new in steps])
    return watch(rail, replace(whole, n=whole.informative), alpha, PLANNED)
