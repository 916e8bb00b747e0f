"""Bounds and averages against what is known, and verdicts by the whole cascade."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from serving.guard.verdict import GuardVerdict
from trials.guard.judging import GuardTally, bootstrapped, by_key, left_out_families, upper
from trials.guard.rows import GuardRow

ALLOW, FLAG, DEGRADE = GuardVerdict.ALLOW, GuardVerdict.FLAG, GuardVerdict.DEGRADE


@pytest.mark.parametrize(("count", "n"), [(0, 50), (1, 10), (25, 25_000), (240, 30_000), (9, 10)])
def test_the_upper_bound_is_that_of_clopper_and_pearson(count: int, n: int) -> None:
    assert upper(count, n) == pytest.approx(beta.ppf(0.95, count + 1, n - count), rel=1e-6)


def test_nothing_is_known_of_no_rows() -> None:
    assert upper(0, 0) == upper(3, 3) == 1.0


def test_caught_is_flagged_or_degraded() -> None:
    found = GuardTally.of([ALLOW, FLAG, DEGRADE, ALLOW])
    assert (found.n, found.caught, found.degraded, found.share) == (4, 2, 1, 0.5)


def test_rows_are_counted_by_label_family_and_language() -> None:
    rows = [
        GuardRow("a", "attack", "k:f", "en"),
        GuardRow("b", "attack", "k:f", "zh"),
        GuardRow("c", "benign", "b", "en"),
    ]
    told = by_key(rows, [FLAG, ALLOW, DEGRADE])
    assert [(row["label"], row["language"], row["caught"]) for row in told] == [
        ("attack", "en", 1),
        ("attack", "zh", 0),
        ("benign", "en", 1),
    ]


def test_small_families_of_a_kind_are_left_out_together_and_others_alone() -> None:
    rows = [GuardRow(str(n), "attack", "jailbreak:large", "en") for n in range(20)]
    rows += [GuardRow("s", "attack", f"jailbreak:small{n}", "en") for n in range(3)]
    rows += [GuardRow("h", "attack", "harmful_request:x", "en"), GuardRow("b", "benign", "jailbreak:large", "en")]
    found = left_out_families(rows)
    assert {name: int(left.sum()) for name, left in found.items()} == {
        "jailbreak:large": 20,
        "jailbreak:(small ones)": 3,
    }


def test_the_average_is_over_families_and_groups_widen_its_interval() -> None:
    caught = np.array([True] * 50 + [False] * 50)
    apart, lumped = np.arange(100), np.repeat(np.arange(10), 10)
    share, low, high = bootstrapped([(caught, apart), (np.ones(4, bool), np.arange(4))])
    assert share == 0.75
    assert low < 0.75 < high
    _, low_lumped, high_lumped = bootstrapped([(caught, lumped)])
    _, low_apart, high_apart = bootstrapped([(caught, apart)])
    assert high_lumped - low_lumped > 1.5 * (high_apart - low_apart)
