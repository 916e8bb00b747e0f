"""Simulated rollouts at small counts: seldom taken back by chance, soon when they are worse."""

from __future__ import annotations

import numpy as np
import pytest

from bench.rollouts import EVEN, HELD, KPI, SENT, Traffic, caught, drawn, even_rollout, false_rollbacks

FLAT = np.full((40, 2), 500.0)


def test_users_fail_at_the_rate_and_with_the_correlation_asked_for() -> None:
    sums = drawn(np.random.default_rng(1), Traffic(10, 0.3), FLAT, np.full((40, 2), 0.05))
    n, x, y, xx, xy, yy, shown, missed = sums.sum(axis=(0, 1))
    assert (n, y, yy, xy) == (40_000, 400_000, 4_000_000, 10 * x)
    assert x / y == pytest.approx(0.05, rel=0.05)
    variance = xx / n - (x / n) ** 2
    assert variance == pytest.approx(10 * 0.05 * 0.95 * (1 + 9 * 0.3), rel=0.05)
    assert 0 < shown < missed < n


def test_similarities_have_the_mean_and_the_spread_of_users_asked_for() -> None:
    sums = drawn(np.random.default_rng(1), Traffic(4, 0.5), FLAT, FLAT, EVEN)
    n, x, _, xx, *_ = sums.sum(axis=(0, 1))
    assert x / n == pytest.approx(4 * 0.8, rel=0.01)
    assert xx / n - (x / n) ** 2 == pytest.approx(4 * 0.03 * (1 + 3 * 0.5), rel=0.05)


def test_heavy_users_are_a_tenth_and_send_half() -> None:
    sums = drawn(np.random.default_rng(1), Traffic(2, 0.1, heavy=True), FLAT, np.full((40, 2), 0.05))
    n, _, y, *_ = sums.sum(axis=(0, 1))
    assert y == pytest.approx(n * (0.9 * 2 + 0.1 * 18), rel=0.05)


def test_late_kpis_are_the_same_users_whose_outcome_comes_later() -> None:
    users, rates = np.full((100, 2), 50.0), np.full((100, 2), 0.2)
    cases = (Traffic(2, 0.05), Traffic(2, 0.05, late=True))
    first, then = (drawn(np.random.default_rng(2), one, users, rates, SENT) for one in cases)
    assert (first[..., 0] == then[..., 0]).all()
    shown = [sums[:24, :, 6].sum(axis=1).cumsum() for sums in (first, then)]
    assert (shown[1] <= shown[0]).all()
    assert shown[1][5] < 0.7 * shown[0][5]


def test_each_side_of_a_rollout_has_the_share_of_its_step() -> None:
    sums = even_rollout(np.random.default_rng(3), Traffic(2, 0.05, bursts=True, days=True))
    old, new = sums[KPI][:, -1, :, 0].T
    assert new / (new + old) == pytest.approx([0.01, 0.05, 0.25, 0.9], rel=0.2)
    assert set(sums) > {"exact", "latency_p99", SENT}
    assert sums["exact"][0, -1, 0, 1] / sums["exact"][0, -1, 0, 2] > 0.7


@pytest.mark.parametrize("kpi", [KPI, EVEN])
def test_users_who_return_keep_their_habits(kpi: str) -> None:
    """Over rollouts the figures of two steps move together, as those of users who are new in each step do not."""
    figures = {}
    for returning in (True, False):
        rng, traffic = np.random.default_rng(6), Traffic(10, 0.3, returning=returning, shares=HELD)
        drawn_all = [even_rollout(rng, traffic)[kpi][:, -1, 1] for _ in range(120)]
        figures[returning] = np.array([[x / y for _, x, y, *_ in steps[:2]] for steps in drawn_all])
        mean = 0.8 if kpi == EVEN else 0.05
        assert figures[returning].mean() == pytest.approx(mean, rel=0.1)
    assert np.corrcoef(figures[True].T)[0, 1] > 0.5
    assert abs(np.corrcoef(figures[False].T)[0, 1]) < 0.3


def test_by_user_equal_candidates_stay_and_by_request_they_do_not() -> None:
    rows = false_rollbacks(12, seed=3)
    assert all(row["deployed"] == 0 for row in rows)
    assert any(row["first"] > 0 for row in rows if row["icc"] == 0.3)


def test_worse_candidates_are_caught_within_their_bounds() -> None:
    found = {(row["base"], row["worse"]): row for row in caught(20, seed=3) if row["rule"] == "deployed"}
    assert found[0.05, 0.1]["p95"] <= 600
    assert found[0.05, 0.03]["p95"] <= 4_000
