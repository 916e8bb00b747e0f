"""The budget of retries."""

from __future__ import annotations

import pytest

from serving.gateway.retry import EACH_SECOND, RESERVE, RetryBudget


def test_busy_traffic_may_fall_back_by_its_share_after_a_reserve() -> None:
    budget = RetryBudget(0.2, lambda: 0.0)
    assert sum(budget.take() for _ in range(100)) == RESERVE
    taken = 0
    for _ in range(1000):
        budget.earn()
        taken += budget.take()
    assert taken == pytest.approx(200, abs=1)


def test_quiet_traffic_may_always_fall_back() -> None:
    now = 0.0
    budget = RetryBudget(0.2, lambda: now)
    while budget.take():
        pass
    for _ in range(1000):
        now += 1.01 / EACH_SECOND
        assert budget.take()
    while budget.take():
        pass
    now += 3600
    assert sum(budget.take() for _ in range(100)) == RESERVE, "what an hour saved up is bounded"


def test_no_share_is_no_fallback() -> None:
    assert not RetryBudget(0.0).take()
