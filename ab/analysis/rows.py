"""Rows of an experiment, one or more for each unit, into sums of each unit. Pure.

A row is {"unit", "arm", "t"?, "phase"?, KPI: value, ...}; a value is a number, [numerator, denominator] of a ratio KPI,
or {"yes": n, "of": m}, of m occasions those that were a yes. A value that is missing, null or not finite counts for
nothing, and the last is counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ab.sequential.effects import UnitFigure

Ratio = tuple[float, float]


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One row: `t` orders the rows of a unit within a `phase`; 0 where there is none. `answers`: KPIs of yes or no."""

    unit: str
    arm: str
    t: float
    values: Mapping[str, Ratio]
    not_finite: int
    phase: int = 0
    answers: frozenset[str] = frozenset()


def parse(line: bytes | str, kpis: Collection[str]) -> UnitRow:
    """One line of JSON; of the KPIs only `kpis` are read.

    Raises:
        ValueError: no JSON object, no unit or arm, or a value that is neither a number nor a pair of them.
    """
    try:
        raw = msgspec.json.decode(line)
    except msgspec.DecodeError:  # NaN and infinity, which Python's own reader knows, and what is no JSON
        raw = json.loads(line)
    if not isinstance(raw, dict):
        raise ValueError("a row is a JSON object")
    unit, arm = (_name(raw, key) for key in ("unit", "arm"))
    moment = raw.get("t", 0)
    if not _number(moment) or not math.isfinite(moment):
        raise ValueError(f'"t" is {moment!r}; it takes seconds as a number')
    phase = raw.get("phase", 0)
    if isinstance(phase, bool) or not isinstance(phase, int) or phase < 0:
        raise ValueError(f'"phase" is {phase!r}; it takes a whole number')
    values, wrong = {}, 0
    for kpi in kpis:
        given = raw.get(kpi)
        if given is None:
            continue
        pair = _pair(kpi, given)
        if all(map(math.isfinite, pair)) and pair[1] >= 0:
            values[kpi] = pair
        else:
            wrong += 1
    answers = frozenset(kpi for kpi in values if isinstance(raw[kpi], dict))
    return UnitRow(unit, arm, float(moment), values, wrong, phase, answers)


def _name(raw: Mapping[str, Any], key: str) -> str:
    given = raw.get(key)
    if isinstance(given, bool) or not isinstance(given, str | int) or given == "":
        raise ValueError(f'"{key}" is {given!r}; it takes a text')
    return str(given).encode("utf-8", "backslashreplace").decode()  # half a surrogate pair has no bytes of its own


def _number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _pair(kpi: str, given: Any) -> Ratio:
    if isinstance(given, bool):
        return float(given), 1.0
    if _number(given):
        return float(given), 1.0
    if isinstance(given, list) and len(given) == 2 and all(map(_number, given)):
        return float(given[0]), float(given[1])
    if isinstance(given, dict) and set(given) == {"yes", "of"} and all(map(_number, given.values())):
        return float(given["yes"]), float(given["of"])
    raise ValueError(f'"{kpi}" is {given!r}; it takes a number, [numerator, denominator] or {{"yes", "of"}}')


@dataclass(frozen=True, slots=True)
class UnitSums:
    """One unit in one phase: its arm, and of each KPI its sums.

    `switched` when later rows name another arm, which are left out; `again` when an earlier phase had the unit, too;
    `rows` are those that count.
    """

    arm: str
    values: Mapping[str, UnitFigure]
    switched: bool
    phase: int = 0
    again: bool = False
    unit: str = ""
    rows: Sequence[UnitRow] = ()

    def single(self, kpi: str) -> list[float]:
        """Values of those of its rows that are of one occasion each."""
        found = (row.values.get(kpi) for row in self.rows)
        return [pair[0] for pair in found if pair is not None and pair[1] == 1.0]


def by_unit(rows: Iterable[UnitRow]) -> Iterator[UnitSums]:
    """Units of rows that lie in memory, by phase; each is analysed up to the row in which its arm changes."""
    found: dict[str, list[UnitRow]] = {}
    for row in rows:
        found.setdefault(row.unit, []).append(row)
    for mine in found.values():
        ordered = sorted(mine, key=lambda row: row.t) if len(mine) > 1 else mine
        for again, phase in enumerate(dict.fromkeys(row.phase for row in ordered)):
            yield _of_phase([row for row in ordered if row.phase == phase], again > 0)


def _of_phase(rows: list[UnitRow], again: bool) -> UnitSums:
    arm = rows[0].arm
    change = next((at for at, row in enumerate(rows) if row.arm != arm), len(rows))
    kept = rows[:change]
    return UnitSums(arm, _sums(kept), change < len(rows), kept[0].phase, again, kept[0].unit, kept)


def _sums(rows: list[UnitRow]) -> dict[str, UnitFigure]:
    found: dict[str, UnitFigure] = {}
    for row in rows:
        for kpi, (numerator, denominator) in row.values.items():
            binary = kpi in row.answers or (denominator == 1.0 and numerator in (0.0, 1.0))
            one = found.get(kpi, UnitFigure(0.0, 0.0, binary=True))
            found[kpi] = UnitFigure(
                one.numerator + numerator, one.denominator + denominator, binary=one.binary and binary
            )
    return found
