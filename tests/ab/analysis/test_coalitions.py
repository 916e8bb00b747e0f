"""What switches do to the reply alone, on prompts that every coalition answered."""

from __future__ import annotations

import json
import math
from itertools import permutations
from statistics import fmean

import numpy as np
import pytest

from ab.analysis.coalitions import CopiedUnits, ReplyAttribution, reply_attributions
from ab.analysis.replies import attributed_copies
from ab.sequential.bounds import ConfidenceSequence
from ab.sequential.moments import Moments
from ab.shapley import Game
from ab.switches import answers, cell, serves

BOTH = ("routing", "candidate")
PLANNED = 500


def units(users: int, gaps: tuple[float, ...], seed: int, *, each: int = 3, spread: float = 0.2) -> CopiedUnits:
    """Prompts of users with habits: of each further one the mean gap to the first; the first's figure is 0.5."""
    chance = np.random.default_rng(seed)
    habit = chance.normal(0, spread, (users, 1))
    sums = np.stack([chance.normal(each * gap, spread, users) + each * habit[:, 0] for gap in gaps], axis=1)
    rows = np.concatenate([np.full((users, 1), float(each)), sums], axis=1)
    return CopiedUnits(Moments.of(rows), 0.5 * each * users, users)


def one(strata: list[CopiedUnits], switches: tuple[str, ...] = BOTH, alpha: float = 0.05) -> ReplyAttribution:
    (found,) = reply_attributions(switches, {"quality": strata}, alpha, PLANNED)
    return found


def by_orders(values: dict[str, float], switches: tuple[str, ...]) -> dict[str, float]:
    """Shapley values by their definition, from who answers in each cell."""

    def value(on: tuple[str, ...]) -> float:
        return values[serves(cell(one for one in switches if one in on), switches)]

    orders = list(permutations(switches))
    return {
        player: fmean(value(order[: at + 1]) - value(order[:at]) for order in orders for at in [order.index(player)])
        for player in switches
    }


def test_contributions_are_the_shapley_values_of_the_replies_and_add_up_to_the_change() -> None:
    given = units(400, (-0.3, 0.1), seed=1)
    found = one([given])
    stable, candidate = (given.side(shares).ratio for shares in ([1.0, 0.0], [0.0, 1.0]))
    exact = by_orders({"teacher": 0.5, "stable": 0.5 + stable, "candidate": 0.5 + candidate}, BOTH)
    assert {name: part.value for name, part in found.contributions.items()} == pytest.approx(exact)
    assert found.total == pytest.approx(found.effect.value) == pytest.approx(candidate)
    assert found.values[frozenset()] == found.values[frozenset({"candidate"})] == pytest.approx(0.5)
    assert found.values[frozenset({"routing"})] == pytest.approx(0.5 + stable)
    assert (found.prompts, found.effect.n, found.why) == (1_200, 400, "")


@pytest.mark.parametrize("switches", [("routing",), ("candidate",)])
def test_with_one_switch_it_is_the_whole_change(switches: tuple[str, ...]) -> None:
    found = one([units(400, (0.2,), seed=2)], switches)
    assert list(found.contributions) == list(switches)
    assert found.contributions[switches[0]].value == found.effect.value == pytest.approx(0.2, abs=0.05)
    assert len(answers(switches)) == 2


def test_an_interval_is_that_of_a_mean_over_users_and_not_over_prompts() -> None:
    given = units(400, (-0.3, 0.1), seed=1)
    found = one([given])
    half = ConfidenceSequence(0.05, PLANNED).multiple(400) * math.sqrt(given.side([0.5, 0.5]).variance / 400)
    routing = found.contributions["routing"]
    assert routing.upper - routing.value == pytest.approx(half)
    assert half > 0.2 / math.sqrt(1_200) * 3  # as if prompts of one user were independent


def test_metrics_share_the_level() -> None:
    given = {name: [units(400, (-0.3, 0.1), seed=1)] for name in ("quality", "length")}
    narrow, (wide, _) = one(given["quality"]).change, reply_attributions(BOTH, given, 0.05, PLANNED)
    assert wide.change == one(given["quality"], alpha=0.025).change
    assert wide.change.upper - wide.change.lower > narrow.upper - narrow.lower


def test_phases_and_versions_are_compared_within_and_users_who_came_back_count_once() -> None:
    strata = [units(300, (-0.3, 0.1), seed=3), units(100, (-0.1, 0.3), seed=4)]
    found = one(strata)
    assert found.effect.n == 300
    means = [part.side([0.0, 1.0]).ratio for part in strata]
    assert found.total == pytest.approx(0.75 * means[0] + 0.25 * means[1])
    assert found.values[frozenset(BOTH)] - found.values[frozenset()] == pytest.approx(found.total)


def test_what_does_not_change_is_not_attributed_and_says_why() -> None:
    same = one([units(400, (-0.3, 0.0), seed=5)])
    assert (dict(same.contributions), "nothing to attribute" in same.why) == ({}, True)
    moments = units(400, (0.2, 0.3), seed=6).moments
    for binary, needed in ((True, 20), (False, 100)):
        few = one([CopiedUnits(moments, 600.0, needed - 1, binary)])
        assert (dict(few.contributions), f"{needed} units" in few.why) == ({}, True)
        assert one([CopiedUnits(moments, 600.0, needed, binary)]).contributions
    nobody = CopiedUnits(Moments.none(3), 0.0, 0)
    assert list(reply_attributions(BOTH, {"quality": [nobody]}, 0.05, PLANNED)) == []
    alike = CopiedUnits(Moments.of(np.tile([2.0, 0.0, 0.0], (50, 1))), 50.0, 0)
    assert one([alike]).change.lower == -math.inf


@pytest.mark.parametrize(("share", "larger", "binary"), [(0.05, 1.0, True), (0.3, 1.0, True), (0.1, 10.0, False)])
def test_equal_replies_are_rarely_told_apart_at_any_of_many_looks(share: float, larger: float, binary: bool) -> None:
    """Users with a prompt each, of whom a share differs: one way `larger` times as much as the other, and as rarely."""
    runs, users, wrong = 100, 1_500, 0
    for seed in range(runs):
        chance = np.random.default_rng([9, seed])
        apart = chance.random((users, 2)) < share
        gaps = np.where(chance.random((users, 2)) < 1 / (1 + larger), larger, -1.0) * apart
        rows = np.concatenate([np.ones((users, 1)), gaps], axis=1)
        looks = [rows[:end] for end in range(100, users + 1, 200)]
        seen = [CopiedUnits(Moments.of(look), 0.0, int((look[:, 2] != 0).sum()), binary) for look in looks]
        wrong += any(one([look]).contributions for look in seen)
    assert wrong / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_what_it_prints_is_what_the_command_reads() -> None:
    found = one([units(400, (-0.3, 0.1), seed=1)])
    told = json.loads(json.dumps(attributed_copies(found, BOTH)))
    again = Game.read(told).shapley()
    assert {name: part["value"] for name, part in told["shapley"].items()} == pytest.approx(
        {name: part.value for name, part in again.items()}
    )
    assert (told["sum"], told["n"], told["attributed"]) == (pytest.approx(found.total), 400, True)
