"""Pairs on one prompt: judged by their difference, by user, and by far fewer prompts than a split test."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ab.sequential.effects import Side, UnitFigure
from ab.sequential.pairs import PairedUnits, paired


def asked(rng: np.random.Generator, users: int, asks: int, worse: float, habit: float = 0.0) -> PairedUnits:
    """Each user asks so often; both replies share what a prompt is worth, and the difference has a user's taste."""
    prompt = rng.normal(0.6, 0.2, (users, asks))
    old = prompt + rng.normal(0.0, 0.03, (users, asks))
    new = prompt + rng.normal(-worse, 0.03, (users, asks)) + rng.normal(0.0, habit, (users, 1))

    def of(values: np.ndarray) -> Side:
        return Side.of(UnitFigure(float(row.sum()), float(asks)) for row in values)

    return PairedUnits(of(new - old), of(old), of(new), users * asks, int((new > old).sum()))


def test_a_small_loss_is_seen_on_pairs_and_a_split_test_would_need_many_times_the_prompts() -> None:
    rng = np.random.default_rng(2)
    found = paired([asked(rng, 400, 3, 0.01)], 0.05, 1_000)
    assert (found.verdict, found.prompts, found.units) == ("worse", 1_200, 400)
    assert found.always.lower < -0.01 < found.always.upper < 0
    # 2 * (0.04 + 0.0009) * 2 / (2 * 0.0009), and as much in clusters of three independent prompts
    assert found.split == pytest.approx(2 * 2 * 0.0409 / 0.0018, rel=0.15)
    assert paired([asked(rng, 400, 3, -0.01)], 0.05, 1_000).verdict == "better"
    assert paired([asked(rng, 400, 3, 0.0)], 0.05, 1_000).verdict == "open"


def test_pairs_of_one_user_are_no_independent_observations() -> None:
    """40 users who ask fifty times and whose tastes differ: the error is that of 40 means and not of 2,000 pairs."""
    found = paired([asked(np.random.default_rng(3), 40, 50, 0.0, habit=0.1)], 0.05, 1_000)
    assert found.effect.error == pytest.approx(math.sqrt((0.01 + 0.0018 / 50) / 40), rel=0.25)


def test_nothing_is_said_before_twenty_pairs_differ() -> None:
    wide = asked(np.random.default_rng(4), 300, 1, 0.2)
    for differing, verdict in ((19, "too few"), (20, "worse")):
        part = PairedUnits(wide.difference, wide.old, wide.new, differing, 0)
        assert paired([part], 0.05, 1_000).verdict == verdict
    same = Side.plain([0.0] * 300)
    never = paired([PairedUnits(same, wide.old, wide.old)], 0.05, 1_000)
    assert (never.verdict, math.isnan(never.split)) == ("too few", True)
    assert paired([], 0.05, 1_000).verdict == "too few"


def test_users_who_have_pairs_in_two_phases_are_taken_for_the_same() -> None:
    one = asked(np.random.default_rng(5), 300, 2, 0.0)
    alone, twice = paired([one], 0.05, 1_000), paired([one, one], 0.05, 1_000)
    assert (twice.units, twice.prompts) == (300, 1_200)
    assert twice.effect.error == pytest.approx(alone.effect.error)
