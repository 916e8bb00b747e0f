"""An experiment's result from the sums of its units, arm by arm. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ab.analysis.assessing import Column, PhaseUnits, assess, columns
from ab.analysis.rows import UnitRow, by_unit
from ab.analysis.tails import TimedUnits
from ab.experiment import Experiment
from ab.guardrails import TAILS
from ab.sequential.decision import ExperimentResult
from ab.sequential.effects import Side, UnitFigure


class ArmTally:
    """Sums over units, by phase, arm and KPI; parts add, so that memory does not depend on the rows.

    `shares` of the phases that rows name; of one that is not there those of the file.
    """

    def __init__(self, experiment: Experiment, shares: Mapping[int, Mapping[str, float]] | None = None) -> None:
        self.experiment = experiment
        self.switched = self.not_finite = 0
        self._shares = shares or {}
        self._units: dict[int, Counter[str]] = {}
        self._returning: Counter[int] = Counter()
        self._sides: dict[int, dict[tuple[str, Column], Side]] = {}
        self._columns = columns(experiment)
        self._tails = {rail.kpi: TAILS[rail.kpi] for rail in experiment.guardrails if rail.of_tail}
        self._timed: dict[int, dict[tuple[str, str], TimedUnits]] = {}

    @property
    def kpis(self) -> frozenset[str]:
        """Names of all columns that the file asks for."""
        return frozenset(name for column in self._columns for name in column if name) | set(self._tails.values())

    @property
    def arms(self) -> list[str]:
        """Those of the file, and what else rows name."""
        return list(
            dict.fromkeys([*map(str, self.experiment.arms), *(arm for of in self._units.values() for arm in of)])
        )

    def add(self, rows: Iterable[UnitRow]) -> None:
        """Count the units of these rows; all rows of a unit come in one call."""
        found: dict[tuple[int, str, Column], list[UnitFigure]] = {}

        def counted() -> Iterable[UnitRow]:
            for row in rows:
                self.not_finite += row.not_finite
                yield row

        for unit in by_unit(counted()):
            units = self._units.setdefault(unit.phase, Counter(dict.fromkeys(self.experiment.arms, 0)))
            units[unit.arm] += 1
            self.switched += unit.switched
            self._returning[unit.phase] += unit.again
            for column in self._columns:
                if value := _value(unit.values, column):
                    found.setdefault((unit.phase, unit.arm, column), []).append(value)
            for kpi, of in self._tails.items():
                if seconds := unit.single(of):
                    timed = self._timed.setdefault(unit.phase, {})
                    timed.setdefault((unit.arm, kpi), TimedUnits()).add(unit.unit, seconds)
        for (phase, arm, column), figures in found.items():
            sides = self._sides.setdefault(phase, {})
            sides[arm, column] = sides.get((arm, column), Side()) + Side.of(figures)

    def result(self, days: float | None = None) -> ExperimentResult:
        """What the units counted so far say."""
        return assess(self.experiment, self.phases(), days)

    def phases(self) -> list[PhaseUnits]:
        """The units counted so far; rows that name no phase are of one."""
        none: Counter[str] = Counter(dict.fromkeys(self.experiment.arms, 0))
        return [
            PhaseUnits(
                self._shares.get(n, self.experiment.shares), dict(self._units.get(n, none)),
                dict(self._sides.get(n, {})), timed=self._timed.get(n, {}), returning=self._returning[n],
            )
            for n in sorted(self._units) or [0]
        ]  # fmt: skip

    def side(self, arm: str, kpi: str, covariate: str | None = None) -> Side:
        """Units of an arm that have a value of the KPI; one who came in several phases is one in each."""
        return sum((phase.side(arm, kpi, covariate) for phase in self.phases()), Side())


def _value(values: Mapping[str, UnitFigure], column: Column) -> UnitFigure | None:
    kpi, covariate = column
    value = values.get(kpi)
    if value is None or covariate is None:
        return value
    before = values.get(covariate)
    return replace(value, covariate=before.numerator / before.denominator) if before and before.denominator else value
