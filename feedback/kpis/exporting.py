"""Users' rows of an experiment as a table: a line for each unit and phase, without a word that anybody wrote.

A unit is a hash under its tenant's key, so that nobody else can try whose it is; a purge makes it meaningless.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from feedback.kpis.ratios import CellRatio
from feedback.rows.files import RowFiles
from feedback.rows.packed import RowPart, former, parts
from feedback.rows.reading import every_row, tenants
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys

UNIT = ("unit", "arm", "phase", "t", "fell_back")
"""Columns before the KPIs: hash, arm assigned, phase, first exposure (seconds since 1970), if it ever fell back."""
Hashed = Callable[[str, str], str]
"""(tenant, unit) -> what the table calls it."""


def columns(ratios: Mapping[str, CellRatio], covariates: Iterable[str] = ()) -> list[str]:
    """Names of all columns: of a ratio `KPI.yes` or `KPI.sum`, and `KPI.of`; of a plain sum `KPI`; `covariates`."""
    named = [[kpi] if ratio.below is None else [_above(kpi, ratio), f"{kpi}.of"] for kpi, ratio in ratios.items()]
    return [*UNIT, *(name for names in named for name in names), *covariates]


def experiment_rows(
    client: Client, keys: RedisKeys, files: RowFiles | None, experiment: str, ratios: Mapping[str, CellRatio],
    hashed: Hashed, covariates: Collection[str] = (),
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Every unit of an experiment, a row for each phase; what it has no part in is missing, as are covariates.

    Raises:
        Unavailable: Redis is away, or spilled rows cannot be read.
    """
    groups = _Groups(client, keys, experiment)
    for tenant in tenants(client, keys):
        for unit, text in every_row(client, keys, files, tenant):
            before = former(text, experiment) if covariates else {}
            known = {name: before[name] for name in covariates if name in before}
            for (phase, arm), part in _phases(parts(text), groups):
                yield {"unit": hashed(tenant, unit), "arm": arm, "phase": phase, **_cells(part, ratios), **known}


def _phases(found: Mapping[str, RowPart], groups: _Groups) -> Iterator[tuple[tuple[int, str], RowPart]]:
    """What the parts of a unit add up to in each phase; of one that was in two arms of it up to the change."""
    merged: dict[tuple[int, str], RowPart] = {}
    for place, part in found.items():
        for key in groups.of(place):
            counted = part.counted(groups.name(key))
            if counted is None:
                continue
            known = merged.get(key)
            cells = dict(known.cells) if known else {}
            for cell, value in counted.items():
                cells[cell] = cells.get(cell, 0.0) + value
            merged[key] = RowPart(min(part.first, known.first) if known else part.first, cells)
    return iter(sorted(merged.items()))


def _cells(part: RowPart, ratios: Mapping[str, CellRatio]) -> dict[str, Any]:
    found: dict[str, Any] = {"t": part.first, "fell_back": part.cells.get("fell_back", 0.0) > 0}
    for kpi, ratio in ratios.items():
        above = float(part.cells.get(ratio.above, 0.0))
        if ratio.below is None:
            found[kpi] = above
        elif (below := float(part.cells.get(ratio.below, 0.0))) > 0:
            found |= {_above(kpi, ratio): above, f"{kpi}.of": below}
    return found


def _above(kpi: str, ratio: CellRatio) -> str:
    return f"{kpi}.{'yes' if ratio.binary else 'sum'}"


class _Groups:
    """The phases and arms of one experiment by place, asked of Redis once."""

    def __init__(self, client: Client, keys: RedisKeys, experiment: str) -> None:
        self._redis = client
        self._keys = keys
        self._experiment = experiment
        self._known: dict[str, list[tuple[int, str]]] = {}

    def name(self, key: tuple[int, str]) -> str:
        """Of the group of a phase's arm; see `places.lua`."""
        phase, arm = key
        return f"experiment:{self._experiment}:{arm}:{phase}"

    def of(self, place: str) -> list[tuple[int, str]]:
        if place not in self._known:
            with redis_errors():
                text = self._redis.hget(self._keys.places, f"#{place}")
            held = json.loads(text)[2:] if text else []
            # An older release's place: experiment, phase, arm, perhaps a canary's side.
            phases = held[0] if held and isinstance(held[0], list) else [held[:3]] if held and held[0] else []
            self._known[place] = [(int(one[1]), str(one[2])) for one in phases if one[0] == self._experiment]
        return self._known[place]
