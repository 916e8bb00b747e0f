"""Shapley values of games whose answers are known."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab.shapley import Game


def of(players: str, value: object) -> Game:
    """A game of one-letter players; `value` maps a coalition to its value."""
    coalitions = [some for size in range(len(players) + 1) for some in combinations(players, size)]
    return Game.read({"players": list(players), "values": {",".join(some): value(set(some)) for some in coalitions}})  # type: ignore[operator]


def test_the_glove_game() -> None:
    """A left glove (a) and two right ones (b, c): a pair is worth 1; known answer 2/3, 1/6, 1/6."""
    found = of("abc", lambda some: 1.0 if "a" in some and some & {"b", "c"} else 0.0).shapley()
    assert [found[p].value for p in "abc"] == pytest.approx([2 / 3, 1 / 6, 1 / 6], abs=1e-12)


def test_the_airport_game() -> None:
    """Runways of cost 1, 2 and 4 (Littlechild and Owen 1973): 1/3, 1/3 + 1/2, 1/3 + 1/2 + 2."""
    cost = {"a": 1.0, "b": 2.0, "c": 4.0}
    found = of("abc", lambda some: max((cost[p] for p in some), default=0.0)).shapley()
    assert [found[p].value for p in "abc"] == pytest.approx([1 / 3, 5 / 6, 17 / 6], abs=1e-12)


def test_errors_of_measured_values_become_intervals() -> None:
    """Of one player: value(a) - value(), errors added in squares."""
    found = Game.read({"players": ["a"], "values": {"": [1.0, 0.3], "a": [3.0, 0.4]}}).shapley()["a"]
    assert found.value == pytest.approx(2.0)
    assert (found.upper - found.lower) / 2 == pytest.approx(1.959964 * math.hypot(0.3, 0.4), rel=1e-6)


@given(st.lists(st.floats(-1e3, 1e3), min_size=16, max_size=16))
def test_contributions_add_up_and_an_idle_player_gets_nothing(values: list[float]) -> None:
    table = {
        frozenset(some): values[at] for at, some in enumerate(s for k in range(5) for s in combinations("abcd", k))
    }
    game = of("abcde", lambda some: table[frozenset(some) - {"e"}])
    found = game.shapley()
    assert sum(one.value for one in found.values()) == pytest.approx(game.total, abs=1e-8)
    assert found["e"].value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"players": ["a", "b"], "values": {"": 0, "a": 1, "b": 1}}, "1 coalitions have no value, such as 'a,b'"),
        ({"players": ["a"], "values": {"": 0, "a": 1, "x": 1}}, "names x"),
        ({"players": ["a", "b"], "values": {"": 0, "a": 1, "b": 1, "a,b": 1, "b,a": 1}}, "twice"),
        ({"players": ["a"], "values": {"": 0, "a": float("nan")}}, "it takes a number"),
        ({"players": ["a"], "values": {"": 0, "a": [1, -1]}}, "it takes a number"),
        ({"players": [str(n) for n in range(11)], "values": {}}, "1 to 10"),
        ({"players": []}, "1 to 10"),
        ([], "players"),
    ],
)
def test_what_is_no_game_is_refused_by_name(raw: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Game.read(raw)


def test_the_order_of_names_in_a_coalition_and_spaces_do_not_matter() -> None:
    one = Game.read({"players": ["a", "b"], "values": {"": 0, "a": 1, "b": 2, "b, a": 4}})
    assert [one.shapley()[p].value for p in "ab"] == [1.5, 2.5]
