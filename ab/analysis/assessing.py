"""An experiment's result from its units, phase by phase. Pure.

A phase is a time in which nobody changed shares, versions or settings. Effects are computed within phases and then
combined: pooling over a ramp compares early units of one arm with late ones of the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ab.analysis.tails import TimedUnits, one_look
from ab.experiment import Experiment, Primary
from ab.guardrails import Guardrail
from ab.sequential.decision import Comparison, ExperimentResult, SampleRatio, decide
from ab.sequential.effects import Effect, Side, above, combined, effect, returned
from ab.sequential.judging import KpiFinding, RailFinding, judge, watch, watch_tail
from ab.sequential.sample_ratio import p_fixed, p_sequential

Column = tuple[str, str | None]
"""A KPI and the covariate that explains part of it."""
BEYOND = 0.01
"""Of requests, that may take longer than a latency guardrail's ratio times a frozen P99."""


@dataclass(frozen=True, slots=True)
class PhaseUnits:
    """Units of one phase by arm, and of each arm and KPI those that have a value.

    Of a KPI of `tails` a side holds requests that took longer than a limit that was frozen, over requests.
    `timed`: single requests by arm and KPI of a latency guardrail, for one look. `returning`: units that an earlier
    phase had, too; None: not known. `live`: whether arms that follow the live version were served by the one that is
    live now.
    """

    shares: Mapping[str, float]
    units: Mapping[str, int]
    sides: Mapping[tuple[str, Column], Side]
    tails: frozenset[str] = frozenset()
    timed: Mapping[tuple[str, str], TimedUnits] = field(default_factory=dict)
    returning: int | None = None
    live: bool = True

    @property
    def n(self) -> int:
        """Units of all arms."""
        return sum(self.units.values())

    def side(self, arm: str, kpi: str, covariate: str | None = None) -> Side:
        """Units of an arm that have a value of the KPI."""
        return self.sides.get((arm, (kpi, covariate)), Side())


def columns(experiment: Experiment) -> tuple[Column, ...]:
    """What of its units an experiment needs."""
    asked = ([experiment.primary] if experiment.primary else []) + list(experiment.secondary)
    return tuple(
        dict.fromkeys([(one.kpi, one.covariate) for one in asked] + [(r.kpi, None) for r in experiment.guardrails])
    )


def assess(experiment: Experiment, phases: Sequence[PhaseUnits], days: float | None = None) -> ExperimentResult:
    """What the units of all phases say, `days` after the beginning.

    P-values of the sample ratio are those of the phase that fits worst, times the number of phases: units come back in
    later phases, so phases are not independent and their evidence does not multiply.
    """
    first, *others = map(str, experiment.arms)
    alpha = experiment.stop.alpha / max(1, len(others))
    pairs = [_comparison(experiment, phases, (first, other), alpha) for other in others]
    live = [phase for phase in phases if phase.live]
    of_live = (
        None if len(live) == len(phases) else [_comparison(experiment, live, (first, other), alpha) for other in others]
    )
    return decide(experiment, distinct(phases, (first, *others)), sample_ratio(phases), pairs, days, of_live)


def sample_ratio(phases: Sequence[PhaseUnits]) -> SampleRatio:
    """Of all phases together, see `assess`."""
    seen = [phase for phase in phases if phase.n]
    once = min((p_fixed(phase.units, phase.shares) for phase in seen), default=1.0)
    always = min((p_sequential(phase.units, phase.shares) for phase in seen), default=1.0)
    return SampleRatio(min(1.0, once * max(1, len(seen))), min(1.0, always * max(1, len(seen))))


def distinct(phases: Sequence[PhaseUnits], arms: Sequence[str]) -> dict[str, int]:
    """Units by arm; of those who came back in a later phase as many are taken away, in equal shares of that phase."""
    found: Counter[str] = Counter(dict.fromkeys(arms, 0))
    for phase, back in zip(phases, _returned(phases), strict=True):
        for arm, n in phase.units.items():
            found[arm] += n - round(back * n / phase.n) if phase.n else 0
    return dict(found)


def _returned(phases: Sequence[PhaseUnits]) -> list[int]:
    return returned([phase.n for phase in phases], [phase.returning for phase in phases])


def _comparison(
    experiment: Experiment, phases: Sequence[PhaseUnits], arms: tuple[str, str], alpha: float
) -> Comparison:
    planned, (old, new) = experiment.stop.planned_units, arms

    def finding(asked: Primary) -> KpiFinding:
        return judge(asked, whole_effect(phases, arms, (asked.kpi, asked.covariate)), alpha, planned)

    def watched(rail: Guardrail) -> RailFinding:
        if rail.of_tail and all(rail.kpi in phase.tails for phase in phases):
            beyond = over_phases(phases, [above(phase.side(new, rail.kpi), BEYOND) for phase in phases])
            return watch_tail(rail, beyond, whole_effect(phases, arms, (rail.kpi, None)), alpha, planned)
        if any((arm, rail.kpi) in phase.timed for phase in phases for arm in arms) and not any(
            phase.side(arm, rail.kpi).n for phase in phases for arm in arms
        ):
            none = TimedUnits()
            seen = [[phase.timed.get((arm, rail.kpi), none) for arm in arms] for phase in phases]
            return one_look(rail, [(of_old, of_new) for of_old, of_new in seen], alpha)
        return watch(rail, whole_effect(phases, arms, (rail.kpi, None), rail.max_ratio or 1.0), alpha, planned)

    return Comparison(
        old,
        new,
        finding(experiment.primary) if experiment.primary else None,
        tuple(finding(one) for one in experiment.secondary),
        tuple(watched(rail) for rail in experiment.guardrails),
    )


def whole_effect(phases: Sequence[PhaseUnits], arms: tuple[str, str], column: Column, times: float = 1.0) -> Effect:
    """Of two arms over all phases; one phase alone is as it is."""
    old, new = arms
    return over_phases(phases, [effect(phase.side(old, *column), phase.side(new, *column), times) for phase in phases])


def over_phases(phases: Sequence[PhaseUnits], parts: Sequence[Effect]) -> Effect:
    """One effect of those within the phases; users who came back are one observation, see `combined`."""
    if len(parts) == 1:
        return parts[0]
    shares = [back / phase.n if phase.n else 0.0 for phase, back in zip(phases, _returned(phases), strict=True)]
    return combined(parts, [round(share * part.n) for share, part in zip(shares, parts, strict=True)])
