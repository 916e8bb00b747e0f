"""A user's row as the scripts pack it: MessagePack of its parts, and behind it three things more. Pure.

These are the minute of its last change, when the user last did anything, and what he had done before he came to an
experiment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class RowPart:
    """What was counted of a user at one place since `first` (seconds since the epoch).

    `kept`: of a user that has been in two arms of a phase, by group what still counts there: the cells up to the
    change, or None, where the place gave it the other arm.
    """

    first: float
    cells: Mapping[str, float]
    kept: Mapping[str, Mapping[str, float] | None] = field(default_factory=dict)

    def counted(self, group: str) -> Mapping[str, float] | None:
        """What it counts for one of its place's groups; None: nothing, and the user is not one of the group."""
        return self.kept.get(group, self.cells)


def parts(text: bytes) -> dict[str, RowPart]:
    """{number of the place: what was counted there}.

    Raises:
        ValueError: it is no row.
    """
    found: dict[str, RowPart] = {}
    for place, part in _read(text)[0].items():
        first, cells, *kept = part
        # An empty table of Lua is packed as an array.
        still = {
            group: None if said is False else dict(said or {}) for group, said in dict(kept[0] if kept else {}).items()
        }
        found[str(place)] = RowPart(float(first), dict(cells or {}), still)
    return found


def changed(text: bytes) -> int:
    """The minute of its last change, counted since 1970; 0 where an older release wrote it.

    Raises:
        ValueError: it is no row.
    """
    read = _read(text)
    return int(read[1]) if len(read) > 1 else 0


def former(text: bytes, experiment: str) -> dict[str, float]:
    """{covariate: its value} of a unit of the experiment, from before its first exposure; those that it has.

    Raises:
        ValueError: it is no row.
    """
    read = _read(text)
    found = dict(read[3] or {}) if len(read) > 3 else {}
    return {str(covariate): float(value) for _, covariate, value in found.get(experiment) or ()}


def _read(text: bytes) -> list[Any]:
    for head in (b"\x94", b"\x93", b"\x92", b"\x91"):  # an array of four, ...; of two and of one are of older releases
        try:
            read = msgspec.msgpack.decode(head + text, type=list[Any])
        except msgspec.DecodeError:
            continue
        if isinstance(read[0], dict) or read[0] == []:
            return [read[0] or {}, *read[1:]]
    raise ValueError("not a row of a user")
