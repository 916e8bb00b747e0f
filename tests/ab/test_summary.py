"""Summaries add and subtract like the values that they stand for."""

from __future__ import annotations

import math
from statistics import fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab.summary import Stat

VALUES = st.lists(st.floats(-10, 10, allow_nan=False), max_size=30)


def near(one: Stat, other: Stat) -> bool:
    """Equal to about nine digits of values up to 10."""
    close = math.isclose(one.mean, other.mean, abs_tol=1e-9) and math.isclose(one.var, other.var, abs_tol=1e-7)
    return one.n == other.n and close


@given(st.lists(st.floats(-10, 10, allow_nan=False), min_size=2, max_size=30))
def test_a_summary_is_the_statistics_of_its_values(values: list[float]) -> None:
    found = Stat.of(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(fmean(values), abs=1e-12)
    assert found.var == pytest.approx(variance(values), abs=1e-9)
    assert found.error == pytest.approx(math.sqrt(variance(values) / len(values)), abs=1e-9)
    assert near(Stat.from_sums(len(values), sum(values), sum(v * v for v in values)), found)


@given(VALUES, VALUES)
def test_the_summary_of_two_halves_is_the_sum_of_their_summaries(first: list[float], second: list[float]) -> None:
    assert near(Stat.of(first) + Stat.of(second), Stat.of(first + second))
    assert near(Stat.of(second) + Stat.of(first), Stat.of(first + second))


@given(VALUES, VALUES, VALUES)
def test_sums_may_be_taken_in_any_order(one: list[float], two: list[float], three: list[float]) -> None:
    a, b, c = Stat.of(one), Stat.of(two), Stat.of(three)
    assert near((a + b) + c, a + (b + c))


@given(VALUES, VALUES)
def test_what_was_added_can_be_taken_away(first: list[float], second: list[float]) -> None:
    assert near((Stat.of(first) + Stat.of(second)) - Stat.of(first), Stat.of(second))
    assert near(Stat.of(first + second).since(Stat.of(first)), Stat.of(second))


@given(VALUES)
def test_nothing_added_changes_nothing_and_all_taken_leaves_nothing(values: list[float]) -> None:
    found = Stat.of(values)
    assert found + Stat() == Stat() + found == found - Stat() == found
    assert found - found == Stat()


def test_more_than_there_is_cannot_be_taken_away() -> None:
    with pytest.raises(ValueError, match="no part"):
        Stat(2, 1.0, 0.0) - Stat(3, 1.0, 0.0)


def test_counts_that_began_anew_stand_for_themselves() -> None:
    assert Stat(2, 1.0, 0.5).since(Stat(30, 4.0, 1.0)) == Stat(2, 1.0, 0.5)


def test_a_large_mean_does_not_swallow_a_small_spread() -> None:
    values = [1e9 + n % 2 for n in range(1000)]
    assert (Stat.of(values[:400]) + Stat.of(values[400:])).var == pytest.approx(variance(values), rel=1e-6)


def test_a_value_that_is_no_number_is_not_hidden() -> None:
    found = Stat.of([1.0, math.nan])
    assert math.isnan(found.mean)
    assert math.isnan(found.var)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"n": 3, "mean": 1.5, "var": 0.25, "p50": 1.0}, Stat(3, 1.5, 0.25)),
        ({"n": 3, "mean": None}, Stat(3)),
        ({}, Stat()),
        (None, Stat()),
    ],
)
def test_a_summary_is_read_from_json(value: dict[str, float] | None, found: Stat) -> None:
    assert Stat.read(value) == found
