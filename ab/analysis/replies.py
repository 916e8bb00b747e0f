"""An experiment's result as plain values, under the names that `experiment analyse` promises. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ab.analysis.attribution import KpiAttribution, attributions
from ab.analysis.coalitions import ReplyAttribution
from ab.analysis.tally import ArmTally
from ab.sequential.decision import Comparison, ExperimentResult
from ab.sequential.effects import Effect
from ab.sequential.judging import KpiFinding, RailFinding
from ab.switches import members


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
    if switches := tally.experiment.switches:
        reply["attribution"] = [attributed(one, switches) for one in attributions(tally.experiment, tally.phases())]
    return reply


def attributed(found: KpiAttribution, switches: Iterable[str]) -> dict[str, Any]:
    """A KPI's change and what each switch contributed; `players` and `values` are what `understudy attribute` reads."""
    parts = {
        name: {"value": one.value, "lower": _finite(one.lower), "upper": _finite(one.upper)}
        for name, one in found.contributions.items()
    }
    order, effect = list(switches), found.effect
    values = {",".join(one for one in order if one in members(name)): [_finite(value), _finite(error)]
              for name, (value, error) in found.cells.items()}  # fmt: skip
    change = {"effect": effect.value, "lower": found.change.lower, "upper": found.change.upper, "p": found.change.p}
    return {
        "kpi": found.kpi, "n": effect.n, "change": {name: _finite(value) for name, value in change.items()},
        "attributed": bool(parts), "why": found.why, "shapley": parts, "sum": found.total if parts else None,
        "players": order, "values": values,
    }  # fmt: skip


def attributed_copies(found: ReplyAttribution, switches: Iterable[str]) -> dict[str, Any]:
    """The same of a metric of replies to copies, whose values are dependent and so have no standard errors here."""
    order, effect = list(switches), found.effect
    change = {"effect": effect.value, "lower": found.change.lower, "upper": found.change.upper, "p": found.change.p}
    parts = {
        name: {"value": one.value, "lower": _finite(one.lower), "upper": _finite(one.upper)}
        for name, one in found.contributions.items()
    }
    return {
        "metric": found.metric, "prompts": found.prompts, "n": effect.n,
        "change": {name: _finite(value) for name, value in change.items()}, "attributed": bool(parts),
        "why": found.why, "shapley": parts, "sum": found.total if parts else None, "players": order,
        "values": {",".join(one for one in order if one in some): value for some, value in found.values.items()},
    }  # fmt: skip


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
        **({"adjusted": _adjusted(found.covariate, effect)} if found.covariate else {}),
    }


def _adjusted(covariate: str, effect: Effect) -> dict[str, Any]:
    return {"covariate": covariate, "units": effect.covered, "variance_reduced": effect.reduced}


def _watch(rail: RailFinding) -> dict[str, Any]:
    return {
        "kpi": rail.kpi,
        "limit": rail.limit,
        "worse": _finite(rail.worse),
        "lower": _finite(rail.lower),
        "upper": _finite(rail.upper),
        "verdict": rail.verdict,
        **({"fixed_horizon": asdict(rail.once)} if rail.once else {}),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
