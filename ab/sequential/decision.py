"""What to do with an experiment, as one table over what its parts say. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ab.experiment import Experiment, Primary
from ab.sequential.judging import KpiFinding, RailFinding, significant
from ab.sequential.sample_ratio import ALARM
from ab.sequential.words import sentence

Conclusion = Literal[
    "keep running", "ship", "stop for harm", "stop for futility", "sample-ratio alarm", "not enough data"
]


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """P-values of the shares in which units arrived."""

    p_fixed: float
    p_sequential: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first arm against another: all that was asked of the two."""

    old: str
    new: str
    primary: KpiFinding | None
    secondary: tuple[KpiFinding, ...] = ()
    guardrails: tuple[RailFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """An experiment at one look."""

    units: Mapping[str, int]
    sample_ratio: SampleRatio
    comparisons: tuple[Comparison, ...]
    significant: frozenset[str]
    decision: Conclusion
    why: str


def decide(experiment: Experiment, units: Mapping[str, int], ratio: SampleRatio, found: Sequence[Comparison],
           days: float | None = None, live: Sequence[Comparison] | None = None) -> ExperimentResult:  # fmt: skip
    """The first row of the table that holds decides; `live`: what was found on phases of the live version, if not all.

    | row | decision |
    |---|---|
    | units arrive in other shares than asked for | sample-ratio alarm |
    | a guardrail or the primary KPI is worse beyond its limit, in any arm | stop for harm |
    | too few units for an interval on the primary KPI | not enough data |
    | an arm has proven what was asked on the live version, and all its guardrails are safe there | ship |
    | it can no longer be proven, or planned units or days are reached | stop for futility |
    | else | keep running |
    """
    named = significant([one for pair in found for one in pair.secondary], experiment.stop.alpha)

    def result(decision: Conclusion, why: str) -> ExperimentResult:
        return ExperimentResult(units, ratio, tuple(found), named, decision, why)

    if ratio.p_sequential < ALARM:
        seen = ", ".join(f"{arm} {n:,}" for arm, n in units.items())
        return result("sample-ratio alarm", f"units do not arrive in the shares asked for ({seen}; "
                      f"p {ratio.p_sequential:.2g}): look for lost or doubled assignments")  # fmt: skip
    for pair in found:
        if why := _harm(pair, experiment.primary):
            return result("stop for harm", why)
    judged = [pair for pair in found if pair.primary is not None]
    if not judged:
        return result("keep running" if found else "not enough data", "the file names no primary KPI to decide on")
    if all(pair.primary is None or pair.primary.verdict == "too few" for pair in judged):
        return result("not enough data", "; ".join(_few(pair, units) for pair in judged))
    for pair in judged if live is None else live:
        if _ships(pair):
            return result("ship", _said(pair, experiment.primary))
    first = judged[0]
    text = _said(first, experiment.primary)
    if any(map(_ships, judged)):
        text += "; that is not yet shown on the live version alone, which its arm follows"
    if all(pair.primary is not None and pair.primary.verdict == "excluded" for pair in judged):
        return result("stop for futility", f"what was asked can no longer be shown: {text}")
    if over := _over(experiment, units, days):
        return result("stop for futility", f"{over} without an answer: {text}")
    waiting = [rail.kpi for rail in first.guardrails if rail.verdict in ("open", "too few")]
    proven = first.primary is not None and first.primary.verdict == "proven"
    why = f"{text}; not yet safe: {', '.join(waiting)}" if proven and waiting else text
    return result("keep running", why)


def _harm(pair: Comparison, asked: Primary | None) -> str | None:
    for rail in pair.guardrails:
        if rail.verdict == "harm":
            return (
                f"{pair.new}: {rail.kpi} is worse by {rail.worse:.4g}, at least {rail.lower:.4g}, "
                f"where its guardrail allows {rail.limit}"
            )
    harmed = pair.primary is not None and pair.primary.verdict == "harm"
    return _said(pair, asked) if harmed else None


def _ships(pair: Comparison) -> bool:
    proven = pair.primary is not None and pair.primary.verdict == "proven"
    return proven and all(rail.verdict == "safe" for rail in pair.guardrails)


def _few(pair: Comparison, units: Mapping[str, int]) -> str:
    empty = [arm for arm in (pair.old, pair.new) if not units.get(arm)]
    if empty:
        return f"no unit has been exposed to {' nor to '.join(empty)} yet"
    assert pair.primary is not None
    kpi, effect = pair.primary.kpi, pair.primary.effect
    if effect.n == 0:
        return f"nobody has sent {kpi} yet: `POST /v1/feedback` brings it"
    silent = [arm for arm, figure in ((pair.old, effect.old), (pair.new, effect.new)) if math.isnan(figure)]
    if silent:
        return f"no {kpi} has come for {' nor for '.join(silent)} yet"
    return (
        f"{pair.new} against {pair.old}: each arm needs 20 units with and 20 without the outcome "
        f"(500 units where it is no yes or no) before an interval on {kpi} deserves belief; {effect.n:,} units have it"
    )


def _said(pair: Comparison, asked: Primary | None) -> str:
    return sentence((pair.old, pair.new), pair.primary, asked)


def _over(experiment: Experiment, units: Mapping[str, int], days: float | None) -> str | None:
    stop, n = experiment.stop, sum(units.values())
    if n >= stop.planned_units:
        return f"{n:,} units of the {stop.planned_units:,} planned"
    return f"{days:.1f} days of {stop.max_days:g}" if days is not None and days >= stop.max_days else None
