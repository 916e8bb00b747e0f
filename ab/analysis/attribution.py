"""Which switch of a factorial changed a KPI, and by how much: Shapley values of its cells' figures, always valid. Pure.

The units of a cell have the switches of a coalition on, by independent hashes, so the cells are independent samples and
a cell's figure is the coalition's value. A contribution is a sum of cells' figures times fixed weights: it has an
interval as any effect has. Phases are compared within and then combined, with the same weights for all of a KPI, so
that contributions add up to the change from all off to all on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ab import switches as factorial
from ab.analysis.assessing import Column, PhaseUnits, over_phases
from ab.experiment import Experiment
from ab.sequential.bounds import ConfidenceSequence, Interval
from ab.sequential.effects import Effect, contrast
from ab.shapley import Contribution, adds_up, weights


@dataclass(frozen=True, slots=True)
class KpiAttribution:
    """A KPI's change from all switches off to all on, and each one's contribution; none where there is no change.

    `cells` holds figure and standard error of each cell; `n` units have the KPI. `why` says what the table cannot.
    """

    kpi: str
    effect: Effect
    change: Interval
    cells: Mapping[str, tuple[float, float]]
    contributions: Mapping[str, Contribution]
    why: str

    @property
    def total(self) -> float:
        """Sum of the contributions."""
        return math.fsum(one.value for one in self.contributions.values())


def attributions(experiment: Experiment, phases: Sequence[PhaseUnits]) -> Iterator[KpiAttribution]:
    """Of the primary KPI at level 1 - alpha, of the secondary ones together at that; nothing without live switches."""
    if not experiment.switches or experiment.layer == "observe":
        return
    alpha, planned = experiment.stop.alpha, experiment.stop.planned_units
    asked = [(one, alpha) for one in (experiment.primary,) if one is not None]
    asked += [(one, alpha / len(experiment.secondary)) for one in experiment.secondary]
    for one, level in asked:
        yield _attributed(experiment, phases, (one.kpi, one.covariate), ConfidenceSequence(level, planned))


def _attributed(
    experiment: Experiment, phases: Sequence[PhaseUnits], column: Column, sequence: ConfidenceSequence
) -> KpiAttribution:
    names, switches = [str(arm) for arm in experiment.arms], [str(switch) for switch in experiment.switches]
    sides = [{name: phase.side(name, *column) for name in names} for phase in phases]

    def found(counts: Mapping[str, float]) -> Effect:
        return over_phases(phases, [contrast(one, counts) for one in sides])

    def around(effect: Effect) -> Interval:
        return sequence.around(effect.value, effect.error, effect.n)

    effect = found({factorial.cell(switches): 1.0, factorial.NONE: -1.0})
    change, each = around(effect), {name: found({name: 1.0}) for name in names}
    cells = {name: (one.value, one.error) for name, one in each.items()}
    why = _nothing(experiment, phases, effect, change)
    contributions = {}
    for switch in () if why else switches:
        counts = {factorial.cell(one for one in switches if one in some): weight
                  for some, weight in weights(switches, switch).items()}  # fmt: skip
        part = found(counts)
        interval = around(part)
        contributions[switch] = Contribution(part.value, interval.lower, interval.upper)
    values = [one.value for one in contributions.values()]
    if contributions and not adds_up(values, effect.value, max(abs(value) for value, _ in cells.values())):
        raise ArithmeticError(f"the contributions to {column[0]} add up to {math.fsum(values)}, not {effect.value}")
    return KpiAttribution(column[0], effect, change, cells, contributions, why)


def _nothing(experiment: Experiment, phases: Sequence[PhaseUnits], effect: Effect, change: Interval) -> str:
    """Why nothing is attributed; empty where something is."""
    if not math.isfinite(effect.error):
        empty = [arm for arm in experiment.arms if not any(phase.units.get(arm) for phase in phases)]
        cells = f" (none in {', '.join(empty)})" if empty else ""
        return f"every cell needs two units with it in one phase{cells}"
    if not effect.enough:
        return "each cell needs 20 units with and 20 without the outcome (500 where it is no yes or no)"
    if change.lower <= 0 <= change.upper:
        return "no change that can be told from none, so there is nothing to attribute"
    return ""
