"""An experiment's result from the sums of its units, arm by arm. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ab.analysis.rows import UnitRow, by_unit
from ab.experiment import Experiment, Primary
from ab.guardrails import Guardrail
from ab.sequential.decision import Comparison, ExperimentResult, SampleRatio, decide
from ab.sequential.effects import Side, UnitFigure, effect
from ab.sequential.judging import KpiFinding, RailFinding, judge, watch
from ab.sequential.sample_ratio import p_fixed, p_sequential

Column = tuple[str, str | None]
"""A KPI and the covariate that explains part of it."""


class ArmTally:
    """Sums over units, arm by arm and KPI by KPI; parts add, so that memory does not depend on the rows."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.units: Counter[str] = Counter(dict.fromkeys(experiment.arms, 0))
        self.switched = self.not_finite = 0
        self._sides: dict[tuple[str, Column], Side] = {}
        asked = ([experiment.primary] if experiment.primary else []) + list(experiment.secondary)
        self._columns: tuple[Column, ...] = tuple(
            dict.fromkeys([(one.kpi, one.covariate) for one in asked] + [(r.kpi, None) for r in experiment.guardrails])
        )

    @property
    def kpis(self) -> frozenset[str]:
        """Names of all columns that the file asks for."""
        return frozenset(name for column in self._columns for name in column if name)

    def add(self, rows: Iterable[UnitRow]) -> None:
        """Count the units of these rows; all rows of a unit come in one call."""
        found: dict[tuple[str, Column], list[UnitFigure]] = {}

        def counted() -> Iterable[UnitRow]:
            for row in rows:
                self.not_finite += row.not_finite
                yield row

        for unit in by_unit(counted()):
            self.units[unit.arm] += 1
            self.switched += unit.switched
            for column in self._columns:
                if value := _value(unit.values, column):
                    found.setdefault((unit.arm, column), []).append(value)
        for key, units in found.items():
            self._sides[key] = self._sides.get(key, Side()) + Side.of(units)

    def result(self, days: float | None = None) -> ExperimentResult:
        """What the units counted so far say."""
        shares = {str(arm): share for arm, share in self.experiment.arms.items()}
        ratio = SampleRatio(p_fixed(self.units, shares), p_sequential(self.units, shares))
        first, *others = self.experiment.arms
        pairs = [self._comparison(first, other, self.experiment.stop.alpha / len(others)) for other in others]
        return decide(self.experiment, dict(self.units), ratio, pairs, days)

    def side(self, arm: str, kpi: str, covariate: str | None = None) -> Side:
        """Units of an arm that have a value of the KPI."""
        return self._sides.get((arm, (kpi, covariate)), Side())

    def _comparison(self, old: str, new: str, alpha: float) -> Comparison:
        planned = self.experiment.stop.planned_units

        def finding(asked: Primary) -> KpiFinding:
            before, after = (self.side(arm, asked.kpi, asked.covariate) for arm in (old, new))
            return judge(asked, effect(before, after), alpha, planned)

        def watched(rail: Guardrail) -> RailFinding:
            before, after = (self.side(arm, rail.kpi) for arm in (old, new))
            return watch(rail, effect(before, after, rail.max_ratio or 1.0), alpha, planned)

        file = self.experiment
        return Comparison(
            old,
            new,
            finding(file.primary) if file.primary else None,
            tuple(finding(one) for one in file.secondary),
            tuple(watched(rail) for rail in file.guardrails),
        )


def _value(values: Mapping[str, UnitFigure], column: Column) -> UnitFigure | None:
    kpi, covariate = column
    value = values.get(kpi)
    if value is None or covariate is None:
        return value
    before = values.get(covariate)
    return replace(value, covariate=before.numerator / before.denominator) if before and before.denominator else None
