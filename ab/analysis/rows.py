"""Rows of an experiment, one or more for each unit, into sums of each unit. Pure.

A row is {"unit", "arm", "t"?, KPI: value, ...}; a value is a number, or [numerator, denominator] of a ratio KPI. A
value that is missing, null or not finite counts for nothing, and the last is counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ab.sequential.effects import UnitFigure

Ratio = tuple[float, float]


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One row: `t` orders the rows of a unit; 0 where there is none."""

    unit: str
    arm: str
    t: float
    values: Mapping[str, Ratio]
    not_finite: int


def parse(line: bytes | str, kpis: Collection[str]) -> UnitRow:
    """One line of JSON; of the KPIs only `kpis` are read.

    Raises:
        ValueError: no JSON object, no unit or arm, or a value that is neither a number nor a pair of them.
    """
    raw = json.loads(line)
    if not isinstance(raw, dict):
        raise ValueError("a row is a JSON object")
    unit, arm = (_name(raw, key) for key in ("unit", "arm"))
    moment = raw.get("t", 0)
    if not _number(moment) or not math.isfinite(moment):
        raise ValueError(f'"t" is {moment!r}; it takes seconds as a number')
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
    return UnitRow(unit, arm, float(moment), values, wrong)


def _name(raw: Mapping[str, Any], key: str) -> str:
    given = raw.get(key)
    if isinstance(given, bool) or not isinstance(given, str | int) or given == "":
        raise ValueError(f'"{key}" is {given!r}; it takes a text')
    return str(given)


def _number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _pair(kpi: str, given: Any) -> Ratio:
    if isinstance(given, bool):
        return float(given), 1.0
    if _number(given):
        return float(given), 1.0
    if isinstance(given, list) and len(given) == 2 and all(map(_number, given)):
        return float(given[0]), float(given[1])
    raise ValueError(f'"{kpi}" is {given!r}; it takes a number or [numerator, denominator]')


@dataclass(frozen=True, slots=True)
class UnitSums:
    """One unit: its arm, and of each KPI its sums; `switched` when later rows name another arm, which are left out."""

    arm: str
    values: Mapping[str, UnitFigure]
    switched: bool


def by_unit(rows: Iterable[UnitRow]) -> Iterator[UnitSums]:
    """Units of rows that lie in memory; each unit is analysed up to the row in which its arm changes."""
    found: dict[str, list[UnitRow]] = {}
    for row in rows:
        found.setdefault(row.unit, []).append(row)
    for mine in found.values():
        ordered = sorted(mine, key=lambda row: row.t) if len(mine) > 1 else mine
        arm = ordered[0].arm
        change = next((at for at, row in enumerate(ordered) if row.arm != arm), len(ordered))
        yield UnitSums(arm, _sums(ordered[:change]), change < len(ordered))


def _sums(rows: list[UnitRow]) -> dict[str, UnitFigure]:
    found: dict[str, UnitFigure] = {}
    for row in rows:
        for kpi, (numerator, denominator) in row.values.items():
            binary = denominator == 1.0 and numerator in (0.0, 1.0)
            one = found.get(kpi, UnitFigure(0.0, 0.0, binary=True))
            found[kpi] = UnitFigure(
                one.numerator + numerator, one.denominator + denominator, binary=one.binary and binary
            )
    return found
