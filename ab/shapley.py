"""Exact Shapley values: what each player contributes to a value that coalitions of them reach. Pure.

Shapley, "A value for n-person games", 1953: the mean, over all orders of arrival, of what a player adds when it comes.
All 2^k coalitions are needed; with standard errors the values, being linear in them, have theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any

PLAYERS = 10
"""More would need more than 1,024 values."""
Coalition = frozenset[str]


@dataclass(frozen=True, slots=True)
class Contribution:
    """A player's share of the value, with its two-sided interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Game:
    """Players, and for each coalition its value and standard error; coalitions are measured independently."""

    players: tuple[str, ...]
    values: Mapping[Coalition, tuple[float, float]]

    @classmethod
    def read(cls, raw: object) -> Game:
        """From {"players": [...], "values": {"a": 1.0, "a,b": [mean, standard error], "": 0.0}}.

        Raises:
            ValueError: anything else, a coalition that is missing or named twice, or a value that is not finite.
        """
        if not isinstance(raw, dict) or not isinstance(raw.get("players"), list):
            raise ValueError('needs {"players": [...], "values": {...}}')
        players, values = raw["players"], raw.get("values")
        named = all(isinstance(one, str) and one and "," not in one for one in players)
        if not named or len(set(players)) != len(players) or not 1 <= len(players) <= PLAYERS:
            raise ValueError(f'"players" takes 1 to {PLAYERS} different names without commas')
        if not isinstance(values, dict):
            raise ValueError('"values" takes a value for each coalition, such as {"": 0.0, "a": 1.0}')
        found: dict[Coalition, tuple[float, float]] = {}
        for name, value in values.items():
            members = [one.strip() for one in name.split(",")] if name.strip() else []
            coalition = frozenset(members)
            if unknown := sorted(coalition - set(players)):
                raise ValueError(f"the coalition {name!r} names {', '.join(unknown)}, no player")
            if coalition in found or len(coalition) != len(members):
                raise ValueError(f"the coalition {name!r} stands there twice, or names a player twice")
            found[coalition] = _measured(name, value)
        if missing := [",".join(some) for some in _coalitions(players) if frozenset(some) not in found]:
            raise ValueError(f"{len(missing)} coalitions have no value, such as {missing[0]!r}")
        return cls(tuple(players), found)

    def shapley(self, alpha: float = 0.05) -> dict[str, Contribution]:
        """Contribution of each player; their sum is the value of all less that of none."""
        z = NormalDist().inv_cdf(1 - alpha / 2)
        found = {}
        for player in self.players:
            value, error = self._of(player)
            found[player] = Contribution(value, value - z * error, value + z * error)
        return found

    @property
    def total(self) -> float:
        """The value of all players less that of none."""
        return self.values[frozenset(self.players)][0] - self.values[frozenset()][0]

    def _of(self, player: str) -> tuple[float, float]:
        k = len(self.players)
        terms: list[float] = []
        variance = 0.0
        for some in _coalitions([one for one in self.players if one != player]):
            weight = 1 / (k * math.comb(k - 1, len(some)))
            with_it, without = self.values[frozenset((*some, player))], self.values[frozenset(some)]
            terms.append(weight * (with_it[0] - without[0]))
            variance += weight * weight * (with_it[1] ** 2 + without[1] ** 2)
        return math.fsum(terms), math.sqrt(variance)


def _coalitions(players: Iterable[str]) -> Iterable[tuple[str, ...]]:
    pool = tuple(players)
    return (some for size in range(len(pool) + 1) for some in combinations(pool, size))


def _measured(name: str, given: Any) -> tuple[float, float]:
    pair = given if isinstance(given, list) else [given, 0.0]
    numbers = len(pair) == 2 and all(isinstance(x, int | float) and not isinstance(x, bool) for x in pair)
    if not numbers or not all(map(math.isfinite, pair)) or pair[1] < 0:
        raise ValueError(f"the value of {name!r} is {given!r}; it takes a number or [mean, standard error]")
    return float(pair[0]), float(pair[1])
