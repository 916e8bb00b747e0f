"""Quantiles from counts in buckets."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab.quantiles import bucket, quantile


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=200), st.sampled_from([0.5, 0.99]))
def test_quantiles_are_within_a_bucket(values: list[float], q: float) -> None:
    counts = Counter(bucket(value) for value in values)
    exact = sorted(values)[max(0, -(-int(len(values) * q * 100) // 100) - 1)]
    assert quantile(counts, q) == pytest.approx(exact, rel=0.1)


def test_counts_of_two_halves_add() -> None:
    both = Counter(map(bucket, [0.1, 0.2])) + Counter(map(bucket, [3.0, 4.0, 5.0]))
    assert quantile(both, 0.5) == pytest.approx(3.0, rel=0.05)


def test_nothing_has_no_quantile_and_no_time_at_all_has_its_bucket() -> None:
    assert quantile({}, 0.99) == 0.0
    assert bucket(0.0) == bucket(-1.0) == bucket(1e-7)
