"""Exact Shapley values: what each player contributes to a value that coalitions of them reach. Pure.

Shapley, "A value for n-person games", 1953: the mean, over all orders of arrival, of what a player adds when it comes.
All 2^k coalitions are needed; with standard errors the values, being linear in them, have theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any

PLAYERS = 10
"""More would need more than 1,024 values."""
DRIFT = 1e-9
"""Shapley values add up to the whole within rounding."""
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
        weighed = [(weight, *self.values[some]) for some, weight in weights(self.players, player).items()]
        variance = math.fsum((weight * error) ** 2 for weight, _, error in weighed)
        return math.fsum(weight * value for weight, value, _ in weighed), math.sqrt(variance)


def weights(players: Sequence[str], player: str) -> dict[Coalition, float]:
    """What each coalition's value counts in the contribution of `player`; they add up to 0."""
    k, found = len(players), dict[Coalition, float]()
    for some in _coalitions([one for one in players if one != player]):
        weight = 1 / (k * math.comb(k - 1, len(some)))
        found[frozenset((*some, player))], found[frozenset(some)] = weight, -weight
    return found


def adds_up(contributions: Iterable[float], whole: float, largest: float) -> bool:
    """Whether contributions are the whole but for rounding, in a game whose `largest` value is that."""
    return abs(math.fsum(contributions) - whole) <= DRIFT * max(1.0, abs(largest))


def _coalitions(players: Iterable[str]) -> Iterable[tuple[str, ...]]:
    pool = tuple(players)
    return (some for size in range(len(pool) + 1) for some in combinations(pool, size))


def _measured(name: str, given: Any) -> tuple[float, float]:
    pair = given if isinstance(given, list) else [given, 0.0]
    numbers = len(pair) == 2 and all(isinstance(x, int | float) and not isinstance(x, bool) for x in pair)
    if not numbers or not all(map(math.isfinite, pair)) or pair[1] < 0:
        raise ValueError(f"the value of {name!r} is {given!r}; it takes a number or [mean, standard error]")
    return float(pair[0]), float(pair[1])
