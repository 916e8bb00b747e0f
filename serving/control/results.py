"""An experiment's results: what its units say now, and how that came about, look by look."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any, Literal

from ab.analysis.assessing import Column, PhaseUnits, assess, columns, whole_effect
from ab.analysis.attribution import attributions
from ab.analysis.business import BUSINESS, DAYS, business
from ab.analysis.coalitions import reply_attributions
from ab.analysis.contributions import contributions
from ab.analysis.replies import attributed, attributed_copies, told
from ab.experiment import Experiment
from ab.running.phases import Phase
from ab.sequential.judging import judge
from ab.sequential.outlook import outlook
from ab.sequential.pairs import paired
from ab.sequential.sample_ratio import ALARM
from ab.switches import GUARD, of_reply
from deploy.life.running.guarded import NEVER_COPIED
from feedback.kpis.arms import CountedPhases, counted_before, looks, phase_units
from feedback.kpis.coalitions import copies_of
from feedback.kpis.figures import Sums
from feedback.kpis.paired import PairedSums, pairs_of
from feedback.kpis.ratios import CellRatio, tails
from serving.control.replies.results import ExperimentResultsReply, PairedResult, ReplyAttributionResult

HOUR = 3600.0
LOOKS = 120
"""Points of the chart at most."""
NARROWER = "judged without the covariate {}, which narrows intervals of `experiment analyse` on rows that have it"
"""Said of each covariate of the file that is not kept of units."""


def results(
    experiment: Experiment,
    state: Literal["active", "stopped"],
    phases: CountedPhases,
    shares: Mapping[int, Mapping[str, float]],
    ratios: Mapping[str, CellRatio],
    lines: Mapping[str, CountedPhases],
    at: float,
    returning: Mapping[int, int] = MappingProxyType({}),
    live: Collection[int] | None = None,
) -> ExperimentResultsReply:
    """Of an experiment at the time `at`; `shares` by phase, those of the file where a phase is not there.

    `lines`: the same as `phases` of each line of business, by day instead of hour. `returning`: of each phase the units
    that another had before; what is not there is not known. `live`: phases in which arms that follow the live version
    were served by the one that is live now; None: all.
    """
    named, experiment = experiment.covariates, experiment.live(ratios)
    unknown = [name for name in named if name not in experiment.covariates]
    primary = [] if experiment.primary is None else [(experiment.primary.kpi, experiment.primary.covariate)]
    wanted = {*columns(experiment), *((kpi, None) for kpi in (*experiment.kpis, *BUSINESS))}
    own, known = experiment.shares, {**ratios, **tails(experiment.layer)}

    def units(counted: Mapping[int, Mapping[str, Sums]], of: Iterable[Column] = wanted) -> list[PhaseUnits]:
        found = [(n, phase_units(of, known, shares.get(n, own), arms)) for n, arms in counted.items()]
        return [replace(one, returning=returning.get(n), live=live is None or n in live) for n, one in found]

    hours = looks((part for arms in phases.values() for part in arms.values()), LOOKS)
    began = (hours[0] - 1) * HOUR if hours else None
    days = None if began is None else max(0.0, (at - began) / 86_400)
    one_month = math.inf if began is None else began / HOUR + DAYS * 24
    ends = one_month, math.inf
    counted, by_line = counted_before(phases, (*hours, *ends)), {x: counted_before(of, ends) for x, of in lines.items()}
    seen = units(counted[math.inf])
    found = assess(experiment, seen, days)
    tables = {line: units(of[one_month]) for line, of in {"all": counted, **by_line}.items()}
    return ExperimentResultsReply.model_validate(
        {
            "id": experiment.id, "state": state, "decision": found.decision, "why": found.why,
            "arms": {arm: {"units": n, "fell_back": _fell_back(phases, arm)} for arm, n in found.units.items()},
            "planned_units": experiment.stop.planned_units, "reached_units": sum(found.units.values()),
            "days": days, "max_days": experiment.stop.max_days,
            "sample_ratio": {
                **asdict(found.sample_ratio), "verdict": "alarm" if found.sample_ratio.p_sequential < ALARM else "fits",
            },
            "comparisons": [_with_margin(told(pair, found.significant), experiment) for pair in found.comparisons],
            "outlook": [
                *outlook(experiment, found), *map(NARROWER.format, unknown),
                *([NEVER_COPIED] if GUARD in experiment.switches else ()),
            ],
            "attribution": [attributed(one, experiment.switches) for one in attributions(experiment, seen)],
            "phases": [
                {"number": n, "since": min(map(min, filter(None, arms.values()))) * HOUR, "shares": phase.shares,
                 "units": phase.units} for (n, arms), phase in zip(phases.items(), seen, strict=True)
            ],
            "business": {line: _business(experiment, of) for line, of in tables.items()},
            "contributions": _contributions(experiment, seen, {x: units(of[math.inf]) for x, of in by_line.items()}),
            "looks": _looks(experiment, [(hour, units(counted[hour], primary)) for hour in hours]),
        }
    )  # fmt: skip


def same_prompts(experiment: Experiment, phases: Mapping[int, Phase], counted: PairedSums) -> Iterator[PairedResult]:
    """What shadow pairs say of each further arm: both arms' replies to one prompt, where one of them is the teacher."""
    first, *others = (str(arm) for arm in experiment.arms)
    alpha = experiment.stop.alpha / max(1, len(others))
    for other in others:
        if of := pairs_of(experiment, (first, other), phases, counted):
            found = paired(of, alpha, experiment.stop.planned_units)
            numbers = {"effect": found.effect.value, "lower": found.always.lower, "upper": found.always.upper,
                       "split": found.split}  # fmt: skip
            yield PairedResult(
                old=first, new=other, prompts=found.prompts, users=found.units, differing=found.differing,
                better=found.ahead, p=found.always.p, verdict=found.verdict, **_finite(numbers),
            )  # fmt: skip


def on_copies(experiment: Experiment, counted: PairedSums) -> Iterator[ReplyAttributionResult]:
    """What each switch did to metrics of the reply alone, on copies that everybody in some cell answered."""
    stop, players = experiment.stop, of_reply(experiment.switches)
    of = copies_of(experiment, counted) if players else {}
    for one in reply_attributions(players, of, stop.alpha, stop.planned_units):
        yield ReplyAttributionResult.model_validate(attributed_copies(one, players))


def _fell_back(phases: CountedPhases, arm: str) -> int:
    parts = (part for arms in phases.values() for part in arms.get(arm, {}).values())
    return round(sum(part.get("fell_back#", 0.0) for part in parts))


def _with_margin(pair: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    margins = {one.kpi: one.margin for one in experiment.secondary}
    for one in pair["secondary"]:
        one["margin"] = margins[one["kpi"]]
    if experiment.primary is not None and pair["primary"] is not None:
        pair["primary"]["margin"] = experiment.primary.margin
    return pair


def _business(experiment: Experiment, phases: Sequence[PhaseUnits]) -> list[dict[str, Any]]:
    rows = business(phases, [str(arm) for arm in experiment.arms], experiment.stop.planned_units)
    return [_finite({**asdict(row), "width": row.width}) for row in rows]


def _contributions(
    experiment: Experiment, whole: Sequence[PhaseUnits], lines: Mapping[str, Sequence[PhaseUnits]]
) -> list[dict[str, Any]]:
    asked = (*([experiment.primary] if experiment.primary else []), *experiment.secondary)
    kpis = list(dict.fromkeys([*(one.kpi for one in asked), *BUSINESS]))
    arms = [str(arm) for arm in experiment.arms]
    found = contributions(whole, lines, arms, kpis, experiment.stop.planned_units)
    return [{**asdict(one), "lines": [_finite(asdict(line)) for line in one.lines]} for one in found]


def _looks(experiment: Experiment, seen: Sequence[tuple[int, Sequence[PhaseUnits]]]) -> dict[str, list[dict[str, Any]]]:
    asked = experiment.primary
    if asked is None:
        return {}
    first, *others = (str(arm) for arm in experiment.arms)
    alpha = experiment.stop.alpha / max(1, len(others))
    found: dict[str, list[dict[str, Any]]] = {}
    for other in others:
        found[other] = []
        for hour, phases in seen:
            effect = whole_effect(phases, (first, other), (asked.kpi, asked.covariate))
            one = judge(asked, effect, alpha, experiment.stop.planned_units)
            look = {"effect": effect.value, "lower": one.always.lower, "upper": one.always.upper}
            found[other].append({"at": hour * HOUR, "units": effect.n, **_finite(look)})
    return found


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is not finite is null."""
    return {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in row.items()}
