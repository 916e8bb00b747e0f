"""Quantiles of latency: a DDSketch of each of 128 groups of users, whose counts add.

Masson, Rim and Lee, 2019, "DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees"
(PVLDB 12). The package `ddsketch` gives the mapping from values to keys; the counts live in Redis, where many workers
add to them, so its stores, which live in one process, would not do. Users, not requests, are drawn again for the
interval, in groups: a bootstrap by group by hash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ddsketch.mapping import LogarithmicMapping

from understudy.ids import unit_fraction

ACCURACY = 0.01
"""Relative error of a quantile."""
GROUPS = 128
SMALLEST = 1e-6
"""Seconds; values below it count as it."""
LARGEST = 1e9
DRAWS = 200
MAPPING = LogarithmicMapping(ACCURACY)


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile, and the 95 % interval of the bootstrap over groups; None where fewer than two groups have values."""

    value: float
    lower: float | None
    upper: float | None


def key_of(value: float) -> int:
    """The sketch's key of a value."""
    return int(MAPPING.key(min(max(value, SMALLEST), LARGEST)))


def group_of(tenant: str, unit: str) -> int:
    """Which of the groups a user belongs to."""
    return int(unit_fraction("sketch", tenant, unit) * GROUPS)


KeyCounts = Mapping[tuple[int, int], int]
"""How many values there are, by group of users and key."""


def quantiles(counts: KeyCounts, wanted: tuple[float, ...]) -> list[Quantile]:
    """Quantiles of counts by (group, key); the same counts give the same intervals. Empty where there are none."""
    if not counts:
        return []
    keys = sorted({key for _, key in counts})
    groups = sorted({group for group, _ in counts})
    column = {key: n for n, key in enumerate(keys)}
    row = {group: n for n, group in enumerate(groups)}
    table = np.zeros((len(groups), len(keys)))
    for (group, key), n in counts.items():
        table[row[group], column[key]] += n
    values = np.array([MAPPING.value(key) for key in keys])
    draws = np.random.default_rng(0).multinomial(len(groups), [1 / len(groups)] * len(groups), size=DRAWS)
    whole, drawn = table.sum(axis=0, keepdims=True), draws @ table
    found = []
    for q in wanted:
        value = float(_at(whole, values, q)[0])
        if len(groups) < 2:
            found.append(Quantile(value, None, None))
        else:
            lower, upper = np.quantile(_at(drawn, values, q), (0.025, 0.975))
            found.append(Quantile(value, float(lower), float(upper)))
    return found


def table(counts: KeyCounts, keys: Sequence[int]) -> np.ndarray:
    """The counts as a table: all groups, those without values, too, by `keys`."""
    column = {key: n for n, key in enumerate(keys)}
    found = np.zeros((GROUPS, len(keys)))
    for (group, key), n in counts.items():
        found[group, column[key]] += n
    return found


def drawn(tables: Sequence[np.ndarray], keys: Sequence[int], q: float, draws: int) -> list[np.ndarray]:
    """Of each table the quantile `q`: first of all its values, then of `draws` times the groups drawn again.

    All tables are drawn alike, so users whom several of them hold stay together. NaN where a draw holds no value.
    """
    values = np.array([MAPPING.value(key) for key in keys])
    chance = np.random.default_rng(0).multinomial(GROUPS, [1 / GROUPS] * GROUPS, size=draws)
    weights = np.concatenate([np.ones((1, GROUPS)), chance])
    found = []
    for one in tables:
        counts = weights @ one
        found.append(np.where(counts.sum(axis=1) > 0, _at(counts, values, q), np.nan))
    return found


def _at(counts: np.ndarray, values: np.ndarray, q: float) -> np.ndarray:
    """The quantile `q` of each row of counts, at the sketch's rank q (n - 1)."""
    cumulated = counts.cumsum(axis=1)
    rank = q * (cumulated[:, -1:] - 1)
    return np.asarray(values[(cumulated <= rank).sum(axis=1).clip(max=len(values) - 1)])
