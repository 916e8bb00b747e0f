"""The bound of a mean paired difference; the simulation states its seed and tolerance."""

from __future__ import annotations

import math
import random

import pytest

from ab.paired import lower_bound


def test_the_bound_is_that_of_the_normal_approximation() -> None:
    found = lower_bound([(0.0, 0.1), (0.5, 0.8), (0.2, 0.7)], 0.05)
    assert found is not None
    assert (found.n, found.before, found.after) == (3, pytest.approx(0.7 / 3), pytest.approx(1.6 / 3))
    assert found.difference == pytest.approx(0.3)
    assert found.lower == pytest.approx(0.3 - 1.6448536 * 0.2 / math.sqrt(3))


def test_pairs_vary_less_than_their_units() -> None:
    """Seed 5: units spread by 1, differences by 0.01, so that the bound lies within 0.01 of the mean."""
    chance = random.Random(5)
    units = [chance.gauss(0, 1) for _ in range(100)]
    found = lower_bound([(unit, unit + chance.gauss(0.1, 0.01)) for unit in units], 0.05)
    assert found is not None
    assert 0.09 < found.lower < found.difference


def test_the_truth_lies_above_the_bound_as_often_as_alpha_says() -> None:
    """Seed 11, 2,000 samples of 60 pairs at alpha 0.1: the bound is above the true difference in 8 % to 12.5 %."""
    chance = random.Random(11)
    missed = 0
    for _ in range(2000):
        found = lower_bound([(0.0, chance.gauss(0.3, 1.0)) for _ in range(60)], 0.1)
        missed += found is not None and found.lower > 0.3
    assert 0.08 <= missed / 2000 <= 0.125


def test_too_few_pairs_have_no_bound_and_no_number_is_above_nothing() -> None:
    assert lower_bound([(0.0, 1.0)], 0.05) is None
    found = lower_bound([(0.0, 1.0), (0.0, math.nan), (0.0, 1.0)], 0.05)
    assert found is not None
    assert not found.lower > -1.0
