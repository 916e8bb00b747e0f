"""Matched pairs: bounds against a direct maximisation, exact tests against sums by hand, coverage by simulation."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab.matched import Matched, harm, holm, loss_bound, pairs_needed

Z = NormalDist().inv_cdf(0.95)


def nuisance(lost: int, won: int, n: int, d: float) -> float:
    """The share won that is likeliest when the shares differ by `d`, by golden section on the likelihood."""

    def likelihood(share: float) -> float:
        parts = ((lost, share + d), (won, share), (n - lost - won, 1 - 2 * share - d))
        return sum(count * math.log(max(p, 1e-300)) for count, p in parts if count)

    low, high = max(0.0, -d), (1 - d) / 2
    for _ in range(200):
        third = (high - low) / 3
        if likelihood(low + third) < likelihood(high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2


@pytest.mark.parametrize(
    ("lost", "won", "n"), [(6, 0, 400), (20, 4, 400), (3, 3, 120), (1, 9, 90), (0, 0, 90), (40, 2, 60)]
)
def test_the_bound_is_where_the_score_of_the_constrained_likelihood_reaches_the_quantile(
    lost: int, won: int, n: int
) -> None:
    d = loss_bound(lost, won, n)
    share = nuisance(lost, won, n, d)
    score = (lost - won - n * d) / math.sqrt(n * (2 * share + d - d * d))
    assert score == pytest.approx(-Z, abs=1e-4)


def test_the_bound_of_pairs_that_all_agree_is_that_of_a_share_of_none() -> None:
    # With nothing lost or won the score interval is Wilson's for 0 of n.
    assert loss_bound(0, 0, 400) == pytest.approx(Z * Z / (400 + Z * Z), abs=1e-9)


@pytest.mark.parametrize(
    ("lost", "won", "n", "alpha", "bound"),
    [(28, 25, 618, 0.05, 0.0247), (25, 28, 618, 0.05, 0.0148), (7, 1, 21, 0.025, 0.517), (1, 7, 21, 0.025, -0.026)],
)
def test_the_bound_is_tango_s(lost: int, won: int, n: int, alpha: float, bound: float) -> None:
    """`PropCIs::scoreci.mp(25, 28, 618, 0.90)` in R, and 1, 7 of 21 pairs at 95 %: Fagerland, Lydersen and Laake,
    Statistics in Medicine 33 (2014) 2850-2875, airway hyper-responsiveness."""
    assert loss_bound(lost, won, n, alpha) == pytest.approx(bound, abs=5.1e-5 if n == 618 else 5.1e-4)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(62, 500))
def test_the_bound_grows_with_what_is_lost_and_falls_with_what_is_won(lost: int, won: int, n: int) -> None:
    bound = loss_bound(lost, won, n)
    assert (lost - won) / n <= bound <= 1
    assert loss_bound(lost + 1, won, n) > bound
    assert loss_bound(lost, won + 1, n) < loss_bound(lost, won, n) + 1e-9 or won == 0


@given(st.integers(0, 40), st.integers(0, 40))
def test_harm_is_the_tail_of_a_fair_coin(lost: int, won: int) -> None:
    n = lost + won
    tail = sum((Fraction(math.comb(n, k), 2**n) for k in range(lost, n + 1)), Fraction(0))
    assert harm(lost, won) == pytest.approx(float(tail))


def test_what_a_real_run_lost_is_harm() -> None:
    assert harm(7, 0) == pytest.approx(0.0078125)
    assert harm(0, 7) == 1.0
    assert harm(0, 0) == 1.0


def test_the_bound_covers_the_true_loss_in_at_least_its_share_of_runs() -> None:
    # 2,000 runs of 400 pairs, 3 % lost and 1 % won; the tolerance is 3 standard errors of 0.95.
    rng = random.Random(5)
    covered = 0
    for _ in range(2000):
        draws = [rng.random() for _ in range(400)]
        covered += loss_bound(sum(x < 0.03 for x in draws), sum(0.03 <= x < 0.04 for x in draws), 400) >= 0.02
    assert covered / 2000 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 2000)


@pytest.mark.parametrize(
    ("lost", "won", "p"), [(7, 0, 0.015625), (12, 5, 0.143463134765625), (20, 4, 0.00154387950897)]
)
def test_harm_is_half_of_mcnemar_s_exact_test(lost: int, won: int, p: float) -> None:
    """statsmodels 0.14.6: `mcnemar([[0, lost], [won, 0]], exact=True).pvalue`, which asks about both sides."""
    assert harm(lost, won) == pytest.approx(p / 2)


def test_holm_rejects_step_by_step() -> None:
    """The first as statsmodels 0.14.6 does: `multipletests([0.01, 0.013, 0.03, 0.04, 0.2], 0.05, "holm")`."""
    assert holm({"a": 0.01, "b": 0.013, "c": 0.03, "d": 0.04, "e": 0.2}) == ("a",)
    assert holm({"a": 0.01, "b": 0.02, "c": 0.5}) == ("a", "b")
    assert holm({"a": 0.02, "b": 0.02, "c": 0.02}) == ()
    assert holm({}) == ()
    assert holm({"a": 0.0166, "b": 0.026, "c": 0.04}) == ("a",)


@pytest.mark.parametrize(("lost", "won", "n"), [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_counts_that_cannot_be_are_refused(lost: int, won: int, n: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        loss_bound(lost, won, n)


def test_pairs_are_counted_by_what_changed() -> None:
    found = Matched.of([(True, True), (True, False), (False, True), (True, False), (False, False)])
    assert found == Matched(n=5, lost=2, won=1)
    assert found + Matched(1, 1, 0) == Matched(6, 3, 1)
    assert found.harm == harm(2, 1)
    assert found.bound(0.05) == loss_bound(2, 1, 5)


def test_with_the_pairs_that_are_needed_equals_mostly_pass() -> None:
    """Seed 6, 1,000 runs at a churn of 2 % each way: 90 % lie below the margin, give or take 4 points."""
    n = pairs_needed(0.04, 0.03)
    assert n == Matched(100, 2, 2).needed(0.03, 0.05)
    rng = random.Random(6)
    below = 0
    for _ in range(1000):
        draws = [rng.random() for _ in range(n)]
        below += loss_bound(sum(x < 0.02 for x in draws), sum(0.02 <= x < 0.04 for x in draws), n) < 0.03
    assert 0.86 <= below / 1000 <= 0.94


def test_no_number_of_pairs_is_needed_below_that_of_pairs_that_all_agree() -> None:
    n = pairs_needed(0.0, 0.03)
    assert loss_bound(0, 0, n) <= 0.03 < loss_bound(0, 0, n - 1)
