"""What a primary or secondary KPI and a guardrail say of two arms, at any look. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ab.experiment import Primary
from ab.guardrails import Guardrail
from ab.matched import holm
from ab.sequential.bounds import ConfidenceSequence, Interval, Sides, fixed
from ab.sequential.effects import Effect

KpiVerdict = Literal["proven", "harm", "excluded", "open", "too few"]
"""What was asked is shown; the opposite is; it can no longer be shown; not yet known; no interval deserves belief."""
GuardrailVerdict = Literal["safe", "harm", "open", "too few"]


@dataclass(frozen=True, slots=True)
class KpiFinding:
    """A KPI between the first arm and another one."""

    kpi: str
    test: str
    effect: Effect
    always: Interval
    fixed: Interval
    verdict: KpiVerdict
    covariate: str | None = None
    """What the effect is adjusted for, of the units that have it."""

    @property
    def p(self) -> float:
        """Sequential p-value of the null hypothesis of `test`."""
        return self.always.p


@dataclass(frozen=True, slots=True)
class TailLook:
    """P99 of both arms and their ratio with its one-sided bounds, at a horizon that was fixed beforehand; `method`."""

    old: float
    new: float
    ratio: float
    lower: float
    upper: float
    method: str


@dataclass(frozen=True, slots=True)
class RailFinding:
    """A guardrail: how much worse (in the KPI's unit; of a ratio: new less limit times old), and both edges.

    `once`: what it stands on where it is no sequence and holds at one look alone.
    """

    kpi: str
    limit: str
    worse: float
    lower: float
    upper: float
    edge: float
    verdict: GuardrailVerdict
    once: TailLook | None = None


def judge(asked: Primary, effect: Effect, alpha: float, planned: int) -> KpiFinding:
    """What `effect` says of the test that `asked` names, at level 1 - `alpha` for all looks together.

    Nothing but harm is concluded on too few units, and harm needs an error above zero.
    """
    sequence = sequence_of(asked, alpha, planned)
    sides = sequence.sides
    sign = 1.0 if asked.direction == "higher" else -1.0
    null = {"non_inferiority": -asked.margin, "equivalence": -asked.margin}.get(asked.test, asked.beyond)
    always = sequence.around(effect.value, effect.error, effect.n, sign * null, sign)
    once = fixed(effect.value, effect.error, alpha, sides, sign * null, sign)
    if asked.test == "equivalence":
        always, once = _both_ways(asked, effect, sequence, always, once)
    half = sequence.half_width(effect.believed, effect.n)
    verdict = _verdict(asked, sign * effect.value - half, sign * effect.value + half)
    if not effect.error > 0 or (not effect.enough and verdict != "harm"):
        verdict = "too few"
    return KpiFinding(asked.kpi, asked.test, effect, always, once, verdict, asked.covariate)


def sequence_of(asked: Primary, alpha: float, planned: int) -> ConfidenceSequence:
    """The intervals that answer the test: two-sided only where both sides are asked about."""
    sides: Sides = 2 if asked.test == "two_sided" else 1
    return ConfidenceSequence(alpha, planned, sides)


def _both_ways(
    asked: Primary, effect: Effect, sequence: ConfidenceSequence, always: Interval, once: Interval
) -> tuple[Interval, Interval]:
    """Two one-sided tests (Schuirmann 1987): the larger p-value counts."""
    sign = -1.0 if asked.direction == "higher" else 1.0
    above = sequence.around(effect.value, effect.error, effect.n, -sign * asked.margin, sign)
    once_above = fixed(effect.value, effect.error, sequence.alpha, 1, -sign * asked.margin, sign)
    return (
        Interval(always.lower, always.upper, max(always.p, above.p)),
        Interval(once.lower, once.upper, max(once.p, once_above.p)),
    )


def _verdict(asked: Primary, low: float, high: float) -> KpiVerdict:
    """Of an interval in which higher is better."""
    margin = asked.margin
    if asked.test == "equivalence":
        if -margin < low and high < margin:
            return "proven"
        return "harm" if high < -margin else "excluded" if low > margin else "open"
    if asked.test == "non_inferiority":
        return "proven" if low > -margin else "harm" if high < -margin else "open"
    if low > asked.beyond:
        return "proven"
    return "harm" if high < 0 else "excluded" if high < asked.beyond else "open"


def watch(rail: Guardrail, effect: Effect, alpha: float, planned: int) -> RailFinding:
    """What a guardrail says: `harm` when the lower edge lies above its limit, `safe` when the upper one lies below.

    `effect` is new less old, or for `max_ratio` new less `max_ratio` times old.
    """
    worse = -effect.value if rail.max_decrease is not None else effect.value
    edge = rail.edge
    sequence = ConfidenceSequence(alpha, planned, 1)
    half = sequence.half_width(effect.error, effect.n) if effect.error > 0 else math.inf
    lower, upper = worse - half, worse + half
    harmed = worse - sequence.half_width(effect.believed, effect.n) > edge
    verdict: GuardrailVerdict = "harm" if harmed else "safe" if upper < edge else "open"
    if not effect.error > 0 or (not effect.enough and verdict != "harm"):
        verdict = "too few"
    return RailFinding(rail.kpi, rail.words, worse, lower, upper, edge, verdict)


def watch_tail(rail: Guardrail, beyond: Effect, apart: Effect, alpha: float, planned: int) -> RailFinding:
    """What a guardrail on the slowest requests says: `beyond` is the new arm's share of slow requests less its limit.

    `apart` is that share less the old arm's. Harm needs both, each at the whole level (intersection-union), since what
    slows both arms down is not the new one's doing. An arm of which hardly any request is slow has too few outcomes for
    its own error, and is judged by the cautious one.
    """
    if not beyond.enough and math.isfinite(beyond.cautious):
        beyond = replace(beyond, error=max(beyond.error, beyond.cautious), enough=True)
    found = watch(rail, beyond, alpha, planned)
    if found.verdict == "harm" and watch(rail, apart, alpha, planned).verdict != "harm":
        return replace(found, verdict="open")
    return found


def significant(findings: Iterable[KpiFinding], alpha: float) -> frozenset[str]:
    """Secondary KPIs whose null hypotheses fall together (Holm), by name."""
    return frozenset(holm({found.kpi: found.p for found in findings}, alpha))
