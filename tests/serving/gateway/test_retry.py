"""The budget of retries."""

from __future__ import annotations

import pytest

from serving.gateway.retry import RESERVE, RetryBudget


def test_the_retry_budget_is_a_share_with_a_small_reserve() -> None:
    budget = RetryBudget(0.2)
    assert sum(budget.take() for _ in range(100)) == RESERVE
    taken = 0
    for _ in range(1000):
        budget.earn()
        taken += budget.take()
    assert taken == pytest.approx(200, abs=1)
    assert not RetryBudget(0.0).take()
