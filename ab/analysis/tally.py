"""An experiment's result from the sums of its units, arm by arm. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ab.analysis.assessing import Column, PhaseUnits, assess, columns
from ab.analysis.rows import UnitRow, by_unit
from ab.experiment import Experiment
from ab.sequential.decision import ExperimentResult
from ab.sequential.effects import Side, UnitFigure


class ArmTally:
    """Sums over units, arm by arm and KPI by KPI; parts add, so that memory does not depend on the rows."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.units: Counter[str] = Counter(dict.fromkeys(experiment.arms, 0))
        self.switched = self.not_finite = 0
        self._sides: dict[tuple[str, Column], Side] = {}
        self._columns = columns(experiment)

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
        return assess(self.experiment, [self.phase()], days)

    def phase(self) -> PhaseUnits:
        """The units counted so far; rows know of one phase."""
        return PhaseUnits(self.experiment.shares, dict(self.units), dict(self._sides))

    def side(self, arm: str, kpi: str, covariate: str | None = None) -> Side:
        """Units of an arm that have a value of the KPI."""
        return self._sides.get((arm, (kpi, covariate)), Side())


def _value(values: Mapping[str, UnitFigure], column: Column) -> UnitFigure | None:
    kpi, covariate = column
    value = values.get(kpi)
    if value is None or covariate is None:
        return value
    before = values.get(covariate)
    return replace(value, covariate=before.numerator / before.denominator) if before and before.denominator else None
