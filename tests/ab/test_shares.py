"""Two shares of different units: exact tests against sums by hand, coverage by simulation."""

from __future__ import annotations

import math
import random

import pytest

from ab.shares import Share, loss_bound, units_needed, worse


def test_worse_is_the_tail_of_the_hypergeometric_distribution() -> None:
    # 8 of 10 before, 3 of 10 after: sum over k <= 3 of C(10, k) C(10, 11 - k) / C(20, 11).
    by_hand = sum(math.comb(10, k) * math.comb(10, 11 - k) for k in range(1, 4)) / math.comb(20, 11)
    assert worse(Share(8, 10), Share(3, 10)) == pytest.approx(by_hand)
    assert worse(Share(3, 10), Share(8, 10)) > 0.95
    assert worse(Share(5, 10), Share(0, 0)) == 1.0
    assert worse(Share(90_000, 100_000), Share(88_000, 100_000)) < 1e-6


def test_the_bound_covers_the_true_loss_in_at_least_its_share_of_runs() -> None:
    """Seed 3, 2,000 runs of 60 and 200 units, 0.9 before and 0.8 after; 3 standard errors of 0.95."""
    rng = random.Random(3)
    covered = 0
    for _ in range(2000):
        before = Share(sum(rng.random() < 0.9 for _ in range(200)), 200)
        after = Share(sum(rng.random() < 0.8 for _ in range(60)), 60)
        covered += loss_bound(before, after) >= 0.1
    assert covered / 2000 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 2000)


def test_nothing_is_known_of_none() -> None:
    assert loss_bound(Share(0, 0), Share(0, 0)) == 1.0
    assert Share(0, 0).interval(0.05) == (0.0, 1.0)


def test_the_units_that_are_needed_suffice() -> None:
    n = units_needed(Share(90, 100), Share(45, 50), 0.05)
    assert loss_bound(Share(round(0.9 * n), n), Share(round(0.9 * n), n)) < 0.05
    assert units_needed(Share(10, 10), Share(10, 10), 0.03) == 91
