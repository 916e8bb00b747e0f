"""The rate: up in the warm-up, down with the share of the time to its floor."""

from __future__ import annotations

import pytest

from online_distill.train.rate import FLOOR, rate


def test_the_rate_warms_up_by_steps() -> None:
    assert [rate(step, 0.0, 10) for step in range(12)] == pytest.approx([*[(n + 1) / 11 for n in range(10)], 1.0, 1.0])
    assert rate(0, 0.0, 0) == 1.0


def test_the_rate_falls_with_the_share_to_its_floor() -> None:
    assert rate(50, 0.5, 10) == pytest.approx((1 + FLOOR) / 2)
    assert rate(50, 1.0, 10) == pytest.approx(FLOOR)
    assert rate(50, 1.3, 10) == pytest.approx(FLOOR)
