"""What a round can do without, and what is left of it then."""

from __future__ import annotations

import numpy as np
import pytest

from online_distill.role.attribution.players import Ingredients
from online_distill.teacher.targets import Scored, TopK
from online_distill.train.recipe import Recipe
from understudy.errors import UsageError


def scored(key: str, weight: float) -> Scored:
    top = TopK(np.zeros((1, 2), np.int32), np.zeros((1, 2), np.float32))
    return Scored(f"{key}/teacher", np.array([1, 2], np.int32), 1, weight, top)


ITEMS = [scored("a", 3.0), scored("b", 3.0), scored("c", 3.0), scored("d", 1.0)]
INGREDIENTS = Ingredients(
    ITEMS, Recipe(hold=0.5, pull=0.0, parent_share=0.2), {"a": "semantic", "b": "grammar", "c": "semantic"}
)


def test_the_players_of_a_round_are_its_kinds_of_data_and_the_channels_that_weigh_something() -> None:
    assert INGREDIENTS.known() == {"hard": 3, "replay": 1, "semantic": 2, "grammar": 1, "hold": 0, "parent": 0}
    assert INGREDIENTS.chosen(None) == ("hard", "replay", "hold")
    assert INGREDIENTS.chosen(["semantic", "parent"]) == ("semantic", "parent")
    assert Ingredients(ITEMS[:3], Recipe(hold=0.0), {}).chosen(None) == ("hard",)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (["pull"], "no pull; it has hard .3 targets."),
        (["hard", "replay", "hold", "parent"], "one to 3"),
        (["hard", "hard"], "different"),
        ([], "one to 3"),
        (["hard", "semantic"], "part of hard"),
    ],
)
def test_other_players_are_refused_with_those_that_there_are(wanted: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        INGREDIENTS.chosen(wanted)


def test_who_is_left_out_takes_its_targets_along_or_weighs_nothing() -> None:
    def keys(out: list[str]) -> list[str]:
        return [item.key[0] for item in INGREDIENTS.without(out)[0]]

    assert keys([]) == ["a", "b", "c", "d"]
    assert keys(["semantic"]) == ["b", "d"]
    assert keys(["replay"]) == ["a", "b", "c"]
    assert keys(["hard", "replay"]) == []
    items, recipe = INGREDIENTS.without(["hold"])
    assert (len(items), recipe.hold, recipe.parent_share) == (4, 0.0, 0.2)
    assert INGREDIENTS.without([])[1] == INGREDIENTS.recipe
