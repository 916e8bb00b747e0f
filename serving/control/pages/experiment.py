"""`understudy experiment list|show|apply|plan|stop`: what was answered, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.control.printing import table, when
from serving.control.replies.experiments import (
    ExperimentAppliedReply,
    ExperimentReply,
    ExperimentsReply,
    ExperimentStoppedReply,
    PlanReply,
)


def experiments(value: ExperimentsReply) -> str:
    """`GET experiments`."""
    rows = [
        (e.id, e.state, e.layer, _range(e.namespace), e.unit, _shares(e.phases[-1].shares if e.phases else e.shares))
        for e in value.experiments
    ]
    return table(("experiment", "state", "layer", "range", "unit", "arms"), rows)


def experiment(value: ExperimentReply) -> str:
    """`GET experiments/ID`."""
    test = value.primary
    lines = [
        f"{value.id}: {value.state}, by {value.unit}, seed {value.hash_seed}",
        f"layer       {value.layer}, {_range(value.namespace)}",
        f"arms        {_shares(value.shares)}",
    ]
    if serves := {arm: serve for arm, serve in value.serves.items() if serve != arm}:
        lines.append(f"serves      {_pairs(serves)}")
    lines += [f"ramp        after {step.hours:g} hours: {_shares(step.arms)}" for step in value.ramp]
    if value.holdout:
        lines.append(f"held out    {value.holdout:.1%} of the units, the same ones in every experiment")
    if value.force:
        lines.append(f"testers     {_pairs(value.force)}")
    if when_ := value.when.model_dump(exclude_none=True, exclude_defaults=True):
        lines.append(f"when        {_pairs(when_)}")
    if test is not None:
        lines.append(f"primary     {_pairs(test.model_dump(exclude_none=True))}")
    lines += [f"secondary   {_pairs(one.model_dump(exclude_none=True))}" for one in value.secondary]
    lines += [f"guardrail   {_pairs(one.model_dump(exclude_none=True))}" for one in value.guardrails]
    lines.append(f"stop        {_pairs(value.stop.model_dump(exclude_none=True))}")
    phases = [
        (phase.number, when(phase.since), "" if phase.until is None else when(phase.until), phase.why,
         _shares(phase.shares), _pairs(phase.versions))
        for phase in value.phases
    ]  # fmt: skip
    heads = ("phase", "since (UTC)", "until", "why", "arms", "served")
    return "\n".join([*lines, *([table(heads, phases)] if phases else [])])


def _range(of: tuple[float, float]) -> str:
    return f"{of[0]:g} to {of[1]:g}"


def _shares(of: Mapping[str, float]) -> str:
    return ", ".join(f"{arm} {share:g}" for arm, share in of.items())


def _pairs(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in given.items())


def applied(value: ExperimentAppliedReply) -> str:
    """The answer of `PUT experiments/ID`."""
    lines = [f"{value.id} applies from epoch {value.epoch}"]
    lines += [plan(value.plan)] if value.plan is not None else []
    return "\n".join(lines + [f"warning: {warning}" for warning in value.warnings])


def plan(value: PlanReply) -> str:
    """The answer of `POST experiments/plan`."""
    days = "" if value.days is None else f", about {value.days:.1f} days of new users"
    return (
        f"plan    {value.kpi} is {value.mean:.4g} over {value.units_of_history:,} users so far: "
        f"{value.units:,} units{days}"
        f"\npower   {value.power:.0%} of the {value.planned_units:,} planned units, which notice {value.detectable:.4g}"
    )


def stopped(value: ExperimentStoppedReply) -> str:
    """The answer of `DELETE experiments/ID`."""
    return f"{value.id} stopped at epoch {value.epoch}; its results stay"
