"""Assignment of units to arms by GrowthBook's hash v2: no state, no I/O, the same in every process.

The hash is 32-bit FNV-1a over the UTF-16 code units of its text, as in the reference implementation
(docs.growthbook.io/lib/build-your-own). The package `growthbook` was considered; it brings an HTTP
client and a feature cache for these few lines.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from typing import TypeVar

BUCKETS = 10_000
_OFFSET = 0x811C9DC5

Name = TypeVar("Name", bound=str)


def fnv1a32(text: str, value: int = _OFFSET) -> int:
    """32-bit FNV-1a of `text`, one UTF-16 code unit at a time; `value` is that of what stands before it."""
    for unit in _code_units(text):
        value = (value ^ unit) * 0x01000193 & 0xFFFFFFFF  # written out: a name is looked up for each character
    return value


@functools.lru_cache(maxsize=1024)
def _begun(seed: str) -> int:
    return fnv1a32(seed)


def _code_units(text: str) -> tuple[int, ...] | bytes:
    if text.isascii():
        return text.encode("ascii")
    raw = text.encode("utf-16-le", "surrogatepass")
    return struct.unpack(f"<{len(raw) // 2}H", raw)


@functools.lru_cache(maxsize=65_536)
def bucket(seed: str, unit: str) -> float:
    """Where `unit` falls in [0, 1), in steps of 1/10,000; independent between seeds."""
    return fnv1a32(str(fnv1a32(unit, _begun(seed)))) % BUCKETS / BUCKETS


def choose(shares: Mapping[Name, float], position: float) -> Name:
    """The arm whose cumulated share covers `position`, arms in the order of the file.

    What rounding leaves above the last edge goes to the last arm that has a share.
    """
    edge = 0.0
    last = next(iter(shares))
    for arm, share in shares.items():
        edge += share
        if share > 0:
            last = arm
            if position < edge:
                return arm
    return last


def assign(seed: str, unit: str, shares: Mapping[Name, float]) -> Name:
    """The arm of `unit`: sticky while `seed` and `shares` stay as they are."""
    for arm, share in shares.items():
        if share >= 1:  # no bucket lies beyond the first one's edge
            return arm
        if share > 0:
            break
    return choose(shares, bucket(seed, unit))
