"""Shares in which units arrive: known figures, peeking, and what is certainly wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare, dirichlet_multinomial, multinomial

from ab.sequential.sample_ratio import ALARM, p_fixed, p_sequential

SHARES = {"a": 0.2, "b": 0.3, "c": 0.5}


@pytest.mark.parametrize("counts", [{"a": 210, "b": 290, "c": 500}, {"a": 260, "b": 290, "c": 450}, {"a": 1}])
def test_one_look_is_pearsons_test_and_every_look_the_bayes_factor(counts: dict[str, int]) -> None:
    seen = [counts.get(arm, 0) for arm in SHARES]
    total = sum(seen)
    assert p_fixed(counts, SHARES) == pytest.approx(
        chisquare(seen, [total * share for share in SHARES.values()]).pvalue, abs=1e-12
    )
    null = multinomial.logpmf(seen, total, list(SHARES.values()))
    other = dirichlet_multinomial.logpmf(seen, [10_000 * share for share in SHARES.values()], total)
    assert p_sequential(counts, SHARES) == pytest.approx(min(1.0, np.exp(null - other)), rel=1e-6)


def test_looking_at_every_hundredth_unit_alarms_in_one_of_a_thousand_at_most() -> None:
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(300):
        arrived = rng.random(20_000) < 0.2
        ones = arrived.cumsum()[99::100]
        looks = zip(range(100, 20_001, 100), ones, strict=True)
        alarms += any(p_sequential({"a": int(k), "b": n - int(k)}, {"a": 0.2, "b": 0.8}) < ALARM for n, k in looks)
    assert alarms <= 2


def test_a_tenth_of_one_arm_lost_is_found() -> None:
    assert p_sequential({"a": 9_000, "b": 10_000}, {"a": 0.5, "b": 0.5}) < ALARM


def test_units_in_an_arm_without_a_share_are_wrong_for_certain() -> None:
    assert p_sequential({"a": 10, "x": 1}, {"a": 1.0}) == p_fixed({"a": 10, "x": 1}, {"a": 1.0}) == 0.0


def test_without_units_nothing_is_said() -> None:
    assert p_sequential({}, SHARES) == p_fixed({}, SHARES) == 1.0
    assert p_sequential({"a": 3, "b": 0}, {"a": 1.0, "b": 0.0}) == 1.0
