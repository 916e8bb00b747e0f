"""Two shares of different units: exact tests against sums by hand, coverage by simulation."""

from __future__ import annotations

import math
import random

import pytest
from scipy.stats import fisher_exact

from ab.shares import Share, loss_bound, units_needed, worse


def test_worse_is_the_tail_of_the_hypergeometric_distribution() -> None:
    # 8 of 10 before, 3 of 10 after: sum over k <= 3 of C(10, k) C(10, 11 - k) / C(20, 11).
    by_hand = sum(math.comb(10, k) * math.comb(10, 11 - k) for k in range(1, 4)) / math.comb(20, 11)
    assert worse(Share(8, 10), Share(3, 10)) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(fisher_exact([[8, 2], [3, 7]], alternative="greater").pvalue)
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


@pytest.mark.parametrize(
    ("before", "after", "lower", "upper"),
    [
        ((56, 70), (48, 80), 0.0528, 0.3382),
        ((9, 10), (3, 10), 0.1700, 0.8406),
        ((6, 7), (2, 7), 0.0342, 0.8534),
        ((5, 56), (0, 29), -0.0326, 0.1933),
        ((0, 10), (0, 20), -0.1658, 0.2844),
        ((0, 10), (0, 10), -0.2879, 0.2879),
        ((10, 10), (0, 20), 0.7156, 1.0),
        ((10, 10), (0, 10), 0.6636, 1.0),
    ],
)
def test_the_bound_is_miettinen_and_nurminen_s(
    before: tuple[int, int], after: tuple[int, int], lower: float, upper: float
) -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, contrasts (a) to (h), method 6, 95 %.

    `confint_proportions_2indep(..., method="score")` of statsmodels 0.14.6 says 0.0526 to 0.3440 of the first and fails
    on the second (its issue 10269).
    """
    one, two = Share(*before), Share(*after)
    assert loss_bound(one, two, 0.025) == pytest.approx(upper, abs=5.1e-5)
    assert -loss_bound(two, one, 0.025) == pytest.approx(lower, abs=5.1e-5)


@pytest.mark.parametrize(
    ("share", "alpha", "lower", "upper"),
    [(Share(8, 10), 0.05, 0.5407928056874879, 0.9314420122624679), (Share(0, 20), 0.025, 0.0, 0.1611251580528194),
     (Share(115, 120), 0.05, 0.9168817044042128, 0.9795733122442518)],
)  # fmt: skip
def test_the_interval_of_one_share_is_wilson_s(share: Share, alpha: float, lower: float, upper: float) -> None:
    """statsmodels 0.14.6: `proportion_confint(right, n, 2 * alpha, "wilson")`."""
    assert share.interval(alpha) == pytest.approx((lower, upper), abs=1e-12)


def test_nothing_is_known_of_none() -> None:
    assert loss_bound(Share(0, 0), Share(0, 0)) == 1.0
    assert Share(0, 0).interval(0.05) == (0.0, 1.0)


def test_the_units_that_are_needed_suffice() -> None:
    n = units_needed(Share(90, 100), Share(45, 50), 0.05)
    assert loss_bound(Share(round(0.9 * n), n), Share(round(0.9 * n), n)) < 0.05
    assert units_needed(Share(10, 10), Share(10, 10), 0.03) == 91
