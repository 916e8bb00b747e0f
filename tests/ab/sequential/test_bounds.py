"""Intervals that may be looked at any day, against the formula's own numbers and against simulated peeking."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ab.sequential.bounds import ConfidenceSequence, fixed
from ab.sequential.effects import Side, effect


@pytest.mark.parametrize(("sides", "alpha", "ratio"), [(2, 0.05, 1.5486), (1, 0.05, 1.6895)])
def test_at_the_planned_units_it_is_wider_than_a_fixed_horizon_by_the_known_ratio(
    sides: int, alpha: float, ratio: float
) -> None:
    sequence = ConfidenceSequence(alpha, 45_000, sides)  # type: ignore[arg-type]
    once = fixed(0.0, 1.0, alpha, sides)  # type: ignore[arg-type]
    assert sequence.multiple(45_000) / once.upper == pytest.approx(ratio, abs=1e-4)


def test_the_boundary_of_a_sum_is_confseq_s() -> None:
    """confseq's unit tests, whose values are those of a reference implementation in R: variance 100, tuned to it,
    alpha 0.05. Its `rho` is one over the square of ours; its one-sided mixture is exact, ours a bound on it."""
    two, one = (ConfidenceSequence(0.05, 100, sides) for sides in (2, 1))  # type: ignore[arg-type]
    assert 1 / two.rho2 == pytest.approx(12.60056, abs=1e-5)
    assert 10 * two.multiple(100) == pytest.approx(30.35209, abs=1e-5)
    assert 27.66071 <= 10 * one.multiple(100) <= 1.01 * 27.66071


OLD = [0.0, 1.5, 2.25, 3.0, 0.5, 1.0, 4.0, 2.0, 0.0, 1.0, 2.5, 3.5]
NEW = [1.0, 2.5, 2.0, 4.5, 1.5, 3.0, 5.0, 0.5, 2.0, 3.5]


def test_one_look_is_statsmodels() -> None:
    """statsmodels 0.14.6: `CompareMeans(DescrStatsW(NEW), DescrStatsW(OLD))`, all with `usevar="unequal"`:
    `zconfint_diff(0.05)` and `ztest_ind()`; one-sided `zconfint_diff(0.05, "larger")` and `ztest_ind("larger",
    value=-1)`, which asks whether NEW is less than 1 worse."""
    found = effect(Side.plain(OLD), Side.plain(NEW))
    both = fixed(found.value, found.error, 0.05)
    assert (both.lower, both.upper, both.p) == pytest.approx(
        (-0.3981591491512553, 1.9564924824845884, 0.19458822306178)
    )
    one = fixed(found.value, found.error, 0.05, 1, null=-1.0)
    assert (one.lower, one.p) == pytest.approx((-0.20887630428933131, 0.0015288143850345826))


def test_it_is_narrowest_near_the_planned_units() -> None:
    tuned = ConfidenceSequence(0.05, 10_000).multiple(10_000)
    assert all(ConfidenceSequence(0.05, planned).multiple(10_000) > tuned for planned in (2_000, 5_000, 20_000, 80_000))


@pytest.mark.parametrize("sides", [1, 2])
def test_the_p_value_is_the_alpha_at_which_the_interval_just_leaves_the_null_out(sides: int) -> None:
    sequence = ConfidenceSequence(0.05, 10_000, sides)  # type: ignore[arg-type]
    edge = sequence.half_width(0.01, 4_000)
    assert sequence.p_value(edge, 0.01, 4_000) == pytest.approx(0.05, rel=1e-9)
    assert sequence.p_value(edge * 1.1, 0.01, 4_000) < 0.05 < sequence.p_value(edge * 0.9, 0.01, 4_000)


def test_a_one_sided_question_is_not_answered_from_the_other_side() -> None:
    sequence = ConfidenceSequence(0.05, 10_000, 1)
    assert sequence.around(-0.5, 0.01, 4_000, null=0.0).p == 1.0
    assert sequence.around(-0.5, 0.01, 4_000, null=0.0, sign=-1.0).p < 1e-6


def test_without_units_error_or_a_finite_effect_nothing_is_said() -> None:
    sequence = ConfidenceSequence(0.05, 100)
    assert sequence.around(0.3, 0.0, 50) == fixed(0.3, 0.0, 0.05)
    assert sequence.half_width(1.0, 0) == math.inf
    assert sequence.p_value(math.nan, 1.0, 50) == 1.0
    assert sequence.p_value(1e6, 1e-6, 50) == 0.0


@pytest.mark.parametrize(("alpha", "planned", "sides"), [(0.0, 10, 2), (1.0, 10, 2), (0.5, 10, 1), (0.05, 0, 2)])
def test_what_cannot_be_tuned_to_is_refused(alpha: float, planned: int, sides: int) -> None:
    with pytest.raises(ValueError, match="no sequence"):
        ConfidenceSequence(alpha, planned, sides)  # type: ignore[arg-type]


@pytest.mark.parametrize("sides", [1, 2])
def test_peeking_at_every_look_errs_no_more_than_alpha_while_a_fixed_test_errs_often(sides: int) -> None:
    """400 experiments without any effect, looked at after every tenth unit from 100 to 4,000."""
    draws = np.random.default_rng(7).standard_normal((400, 4_000)).cumsum(axis=1)
    looks = np.arange(100, 4_001, 10)
    z = draws[:, looks - 1] / np.sqrt(looks)
    sequence = ConfidenceSequence(0.05, 2_000, sides)  # type: ignore[arg-type]
    bounds = np.array([sequence.multiple(int(n)) for n in looks])
    distance = np.abs(z) if sides == 2 else z
    always, naive = (
        (distance > bounds).any(axis=1).mean(),
        (distance > fixed(0, 1, 0.05, sides).upper).any(axis=1).mean(),
    )  # type: ignore[arg-type]
    assert always <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    assert naive > 0.2
