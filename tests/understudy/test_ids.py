"""Identifiers: random ones differ, stable ones do not, and fractions are uniform."""

from __future__ import annotations

import statistics

from understudy.ids import random_id, stable_id, unit_fraction


def test_random_ids_differ_and_keep_their_prefix() -> None:
    made = {random_id("x-") for _ in range(100)}
    assert len(made) == 100
    assert all(name.startswith("x-") and len(name) == 34 for name in made)


def test_stable_ids_tell_apart_where_the_parts_are_cut() -> None:
    assert stable_id("a", "b") == stable_id("a", "b")
    assert stable_id("a", "b") != stable_id("ab", "") != stable_id("", "ab")


def test_fractions_of_many_ids_are_uniform() -> None:
    """10,000 values: the mean's standard error is 0.0029; five of them are allowed."""
    values = [unit_fraction("seed", str(number)) for number in range(10_000)]
    assert 0 <= min(values) < max(values) < 1
    assert abs(statistics.fmean(values) - 0.5) < 0.0145
    assert abs(sum(value < 0.1 for value in values) / 10_000 - 0.1) < 0.015
