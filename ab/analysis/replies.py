"""An experiment's result as plain values, under the names that `experiment analyse` promises. Pure."""

from __future__ import annotations

import math
from typing import Any

from ab.analysis.tally import ArmTally
from ab.sequential.decision import Comparison, ExperimentResult
from ab.sequential.judging import KpiFinding, RailFinding


def as_json(result: ExperimentResult, tally: ArmTally) -> dict[str, Any]:
    """With `comparisons` for each further arm where there are more than two; what is not finite is null."""
    parts = [told(pair, result.significant) for pair in result.comparisons]
    first = parts[0] if parts else {"primary": None, "secondary": [], "guardrails": []}
    reply = {
        "units": dict(result.units),
        "sample_ratio": {"p_fixed": result.sample_ratio.p_fixed, "p_sequential": result.sample_ratio.p_sequential},
        **{key: value for key, value in first.items() if key not in ("old", "new")},
        "decision": result.decision,
        "why": result.why,
        "left_out": {"switched_arm": tally.switched, "not_finite": tally.not_finite},
    }
    if len(parts) > 1:
        reply["comparisons"] = parts
    return reply


def told(pair: Comparison, significant: frozenset[str]) -> dict[str, Any]:
    """Two arms; `significant` names the secondary KPIs that Holm's procedure takes for proven."""
    return {
        "old": pair.old,
        "new": pair.new,
        "primary": _finding(pair.primary) if pair.primary else None,
        "secondary": [{**_finding(one), "significant": one.kpi in significant} for one in pair.secondary],
        "guardrails": [_watch(one) for one in pair.guardrails],
    }


def _finding(found: KpiFinding) -> dict[str, Any]:
    effect, once = found.effect, found.fixed
    return {
        "kpi": found.kpi,
        "test": found.test,
        "effect": _finite(effect.value),
        "lower": _finite(found.always.lower),
        "upper": _finite(found.always.upper),
        "p": found.always.p,
        "fixed": {"lower": _finite(once.lower), "upper": _finite(once.upper), "p": once.p},
        "old": _finite(effect.old),
        "new": _finite(effect.new),
        "n": effect.n,
        "verdict": found.verdict,
    }


def _watch(rail: RailFinding) -> dict[str, Any]:
    return {
        "kpi": rail.kpi,
        "limit": rail.limit,
        "worse": _finite(rail.worse),
        "lower": _finite(rail.lower),
        "upper": _finite(rail.upper),
        "verdict": rail.verdict,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
