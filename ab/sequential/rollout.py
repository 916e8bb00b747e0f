"""What a canary does worse than the stable version, judged at every look, over users and step by step. Pure.

Every guardrail is a one-sided confidence sequence; together they err once in 1 / `ALPHA` rollouts at most. A step of
the rollout is a phase: effects are computed within it and then combined, since traffic changes from step to step and
so do the shares. Users come back from step to step and nobody counts how many, so as many as can be are taken for the
same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ab.guardrails import Guardrail
from ab.sequential.effects import Effect, Side, above, combined, effect, returned
from ab.sequential.judging import RailFinding, watch

ALPHA = 0.01
"""False rollbacks, over all guardrails together."""
PLANNED = 2_000
"""Users, in even arms, at which the intervals are narrowest."""
TAIL = 0.01
"""Of requests, beyond a P99."""
TwoArms = tuple[Side, Side]
"""The stable version's users and the candidate's, of one KPI in one step."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A guardrail's finding, and the effect that it is of; `users` of the stable version and of the candidate."""

    finding: RailFinding
    effect: Effect
    users: tuple[int, int]


def watched(rails: Sequence[Guardrail], steps: Mapping[str, Sequence[TwoArms]]) -> tuple[Watched, ...]:
    """Every guardrail's finding; `steps` holds each KPI's arms by step. One without users is "too few".

    `max_ratio` is asked of the share of requests beyond that many times a P99 that was frozen when its step began: it
    is harm where that share is above 1 %, and above the stable version's too, which the same bursts have slowed down.
    """
    return tuple(_watched(rail, steps.get(rail.kpi, ()), ALPHA / len(rails)) for rail in rails)


def breach(found: Sequence[Watched]) -> str | None:
    """The first guardrail that says harm, in words; None: none does."""
    for one in found:
        told = one.finding
        if told.verdict == "harm":
            old, new = one.users
            return (
                f"{told.kpi} {one.effect.new:.3f} of {new} users against {one.effect.old:.3f} of {old}: worse by at "
                f"least {told.lower:.3f}; its guardrail allows {told.limit}"
            )
    return None


def _watched(rail: Guardrail, steps: Sequence[TwoArms], alpha: float) -> Watched:
    users = (sum(old.n for old, _ in steps), sum(new.n for _, new in steps))
    against = _found(rail, [effect(old, new) for old, new in steps], alpha, users)
    if rail.max_ratio is None:
        return against
    beyond = _found(rail, [above(new, TAIL) for _, new in steps], alpha, users)
    # Both must be shown, each at the whole level (intersection-union), so the one that is shown less speaks.
    return min((beyond, against), key=lambda one: (one.finding.verdict == "harm", one.finding.lower))


def _found(rail: Guardrail, parts: Sequence[Effect], alpha: float, users: tuple[int, int]) -> Watched:
    """Steps with too few users for any error are left out while another has enough."""
    used = [part for part in parts if math.isfinite(part.cautious)] or parts
    whole = combined(used, returned([part.n for part in used]))
    # Where nothing varies, as when every reply fails, the cautious error of a yes or no still does.
    error = whole.error if whole.error > 0 else whole.cautious
    whole = replace(whole, error=error, n=whole.informative)
    asked = rail if rail.max_ratio is None else Guardrail(kpi=rail.kpi, max_increase=0.0)
    return Watched(replace(watch(asked, whole, alpha, PLANNED), limit=rail.words), whole, users)
