"""A user's row as the scripts pack it: MessagePack of its parts, and behind it the minute of its last change. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class RowPart:
    """What was counted of a user at one place since `first` (seconds since the epoch).

    `out`: groups that it does not count for, since the user has another arm of that phase already.
    """

    first: float
    cells: Mapping[str, float]
    out: frozenset[str] = frozenset()


def parts(text: bytes) -> dict[str, RowPart]:
    """{number of the place: what was counted there}.

    Raises:
        ValueError: it is no row.
    """
    found: dict[str, RowPart] = {}
    for place, part in _read(text)[0].items():
        first, cells, *out = part
        # An empty table of Lua is packed as an array.
        found[str(place)] = RowPart(float(first), dict(cells or {}), frozenset(dict(out[0]) if out and out[0] else ()))
    return found


def changed(text: bytes) -> int:
    """The minute of its last change, counted since 1970; 0 where an older release wrote it.

    Raises:
        ValueError: it is no row.
    """
    read = _read(text)
    return int(read[1]) if len(read) > 1 else 0


def _read(text: bytes) -> list[Any]:
    for head in (b"\x92", b"\x91"):  # an array of two, or of one
        try:
            read = msgspec.msgpack.decode(head + text, type=list[Any])
        except msgspec.DecodeError:
            continue
        if isinstance(read[0], dict) or read[0] == []:
            return [read[0] or {}, *read[1:]]
    raise ValueError("not a row of a user")
