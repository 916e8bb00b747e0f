"""Simulated rollouts at small counts: seldom taken back by chance, soon when they are worse."""

from __future__ import annotations

import numpy as np
import pytest

from bench.rollouts import Users, caught, false_rollbacks


def test_users_fail_at_the_rate_and_with_the_correlation_asked_for() -> None:
    counts = Users(np.random.default_rng(1), asks=10, icc=0.3).sums(20_000, 0.05)
    n, total, squares = counts
    assert total / n / 10 == pytest.approx(0.05, rel=0.05)
    variance = squares / n - (total / n) ** 2
    assert variance == pytest.approx(10 * 0.05 * 0.95 * (1 + 9 * 0.3), rel=0.05)


def test_by_user_equal_candidates_stay_and_by_request_they_do_not() -> None:
    rows = false_rollbacks(12, seed=3)
    assert all(row["deployed"] == 0 for row in rows)
    assert any(row["first"] > 0 for row in rows if row["icc"] == 0.3)


def test_worse_candidates_are_caught_within_their_bounds() -> None:
    found = {(row["base"], row["worse"]): row for row in caught(8, seed=3) if row["rule"] == "deployed"}
    assert found[0.05, 0.1]["p95"] <= 600
    assert found[0.05, 0.03]["p95"] <= 4_000
