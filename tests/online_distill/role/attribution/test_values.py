"""Contributions over held-out rows that all coalitions were judged on."""

from __future__ import annotations

import json
import math
import random
from itertools import combinations
from statistics import fmean, stdev

import pytest

from ab.shapley import Coalition, Game
from deploy.life.evaluation import JudgedReply
from online_distill.role.attribution.values import CoalitionRows, Z, attributed

PLAYERS = ("hard", "replay")


def coalitions(rows: int, worth: dict[str, float], noise: float = 0.1) -> dict[Coalition, CoalitionRows]:
    """Rows whose agreement is 0.4, what the players are worth and noise that all coalitions share."""
    chance = random.Random(7)
    shared = [chance.gauss(0.0, noise) for _ in range(rows)]
    found = {}
    for size in range(3):
        for some in combinations(PLAYERS, size):
            replies = {}
            for row in range(rows):
                agreement = 0.4 + shared[row] + sum(worth[one] for one in some) + chance.gauss(0.0, 0.01)
                replies[f"r{row}"] = ("hard", JudgedReply(agreement=agreement, exact=False, facts=row % 2 == 0))
            one = CoalitionRows(members=some, inputs="i", weights="w", seconds=1.0, rows=replies)
            found[frozenset(some)] = one
    return found


def test_contributions_are_shapley_values_with_the_interval_of_their_rows() -> None:
    found = coalitions(200, {"hard": 0.3, "replay": -0.1})
    told = attributed(PLAYERS, found)["hard.agreement"]
    game = Game.read({"players": list(PLAYERS), "values": told["values"]})
    again = game.shapley()
    for name in PLAYERS:
        assert told["shapley"][name]["value"] == pytest.approx(again[name].value)
    assert told["sum"] == pytest.approx(told["change"]["value"]) == pytest.approx(0.2, abs=0.01)
    rows = [
        (found[frozenset(["hard"])].rows[f"r{n}"][1].agreement - found[frozenset()].rows[f"r{n}"][1].agreement) / 2
        + (found[frozenset(PLAYERS)].rows[f"r{n}"][1].agreement
           - found[frozenset(["replay"])].rows[f"r{n}"][1].agreement) / 2
        for n in range(200)
    ]  # fmt: skip
    hard = told["shapley"]["hard"]
    assert hard["value"] == pytest.approx(fmean(rows))
    assert hard["upper"] - hard["value"] == pytest.approx(Z * stdev(rows) / math.sqrt(200))
    assert hard["upper"] - hard["value"] < (again["hard"].upper - again["hard"].value) / 5  # rows are paired


def test_what_did_not_change_is_not_attributed() -> None:
    told = attributed(PLAYERS, coalitions(50, {"hard": 0.3, "replay": 0.0}))
    assert (told["hard.facts"]["attributed"], told["hard.facts"]["shapley"]) == (False, {})
    assert "nothing to attribute" in told["hard.facts"]["why"]
    assert "general.exact" not in told
    json.dumps(told, allow_nan=False)


def test_only_rows_that_every_coalition_has_count() -> None:
    found = coalitions(50, {"hard": 0.3, "replay": 0.0})
    one = found[frozenset(["hard"])]
    rows = {name: reply for name, reply in one.rows.items() if name != "r3"}
    told = attributed(PLAYERS, {**found, frozenset(["hard"]): one.model_copy(update={"rows": rows})})
    assert told["hard.agreement"]["n"] == 49
