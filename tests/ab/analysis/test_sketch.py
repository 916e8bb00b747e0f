"""The sketch against the package whose mapping it uses, and against the values themselves."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from ddsketch import DDSketch

from ab.analysis.sketch import GROUPS, MAPPING, group_of, key_of, quantiles


def counts_of(values: list[float], groups: int = GROUPS) -> Counter[tuple[int, int]]:
    return Counter((n % groups, key_of(value)) for n, value in enumerate(values))


@pytest.mark.parametrize("q", [0.0, 0.5, 0.9, 0.99, 1.0])
def test_a_quantile_is_the_package_s(q: float) -> None:
    chance = random.Random(1)
    values = [chance.lognormvariate(0, 2) for _ in range(999)]
    kept = DDSketch(0.01)
    for value in values:
        kept.add(value)
    [found] = quantiles(counts_of(values), (q,))
    assert found.value == pytest.approx(kept.get_quantile_value(q))
    assert found.value == pytest.approx(sorted(values)[int(q * 998)], rel=0.0101)


def test_every_value_has_a_key_and_every_key_its_own_value() -> None:
    assert key_of(0.0) == key_of(-1.0) == key_of(1e-9)
    assert key_of(1e12) == key_of(1e9)
    for value in (1e-6, 0.01, 1.0, 7.5, 1e9):
        assert MAPPING.key(MAPPING.value(key_of(value))) == key_of(value)


def test_one_group_has_no_interval_and_no_values_no_quantile() -> None:
    [found] = quantiles(counts_of([1.0, 2.0], groups=1), (0.5,))
    assert (found.lower, found.upper) == (None, None)
    assert quantiles({}, (0.5,)) == []


def test_users_not_requests_are_drawn_again() -> None:
    """The same requests, of one user a group or of 128: where a user's are alike, the interval is wider."""
    chance = random.Random(2)
    paces = [chance.lognormvariate(0, 1) for _ in range(GROUPS)]
    alike = Counter((g, key_of(pace * chance.uniform(0.95, 1.05))) for g, pace in enumerate(paces) for _ in range(50))
    keys = [key for (_, key), n in sorted(alike.items()) for _ in range(n)]
    chance.shuffle(keys)
    mixed = Counter((n % GROUPS, key) for n, key in enumerate(keys))
    [one], [other] = quantiles(alike, (0.5,)), quantiles(mixed, (0.5,))
    assert one.value == other.value
    assert one.upper is not None
    assert one.lower is not None
    assert other.upper is not None
    assert other.lower is not None
    assert one.upper - one.lower > 2 * (other.upper - other.lower)


def test_users_spread_over_all_groups_and_stay_in_theirs() -> None:
    groups = Counter(group_of("default", f"用户{n}") for n in range(5000))
    assert set(groups) == set(range(GROUPS))
    assert max(groups.values()) < 80
    assert group_of("a", "u") == group_of("a", "u")
