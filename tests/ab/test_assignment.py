"""Assignment by GrowthBook's hash v2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab.assignment import assign, bucket, choose, fnv1a32

PUBLISHED = [
    ("seed", "a", 0.0505),
    ("seed", "b", 0.2696),
    ("foo", "ab", 0.2575),
    ("foo", "def", 0.2019),
    ("89123klj", "8952klfjas09ujkasdf", 0.124),
    ("90850943850283058242805", "123", 0.7516),
    ("()**(%$##$%#$#", '___)((*":&', 0.0128),
]
"""Cases of hash version 2 in GrowthBook's SDK specification 0.7.1 (cases.json, MIT licence)."""


@pytest.mark.parametrize(("seed", "unit", "expected"), PUBLISHED)
def test_hash_agrees_with_the_published_cases(seed: str, unit: str, expected: float) -> None:
    assert bucket(seed, unit) == expected


@pytest.mark.parametrize(("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_fnv_agrees_with_its_published_values(text: str, value: int) -> None:
    assert fnv1a32(text) == value


def test_units_beyond_ascii_have_a_place_too() -> None:
    places = {bucket("实验", f"用户{n}😀") for n in range(200)}
    assert len(places) > 190


def test_arms_are_cut_in_the_order_of_the_file() -> None:
    shares = {"teacher": 0.75, "student": 0.25}
    assert [choose(shares, p) for p in (0.0, 0.7499, 0.75, 0.9999)] == ["teacher"] * 2 + ["student"] * 2
    turned = {"student": 0.25, "teacher": 0.75}
    assert [choose(turned, p) for p in (0.0, 0.2499, 0.25)] == ["student", "student", "teacher"]


def test_an_arm_without_share_gets_nobody() -> None:
    assert choose({"teacher": 0.9999, "student": 0.0}, 0.99999) == "teacher"
    assert all(assign("e", f"u{n}", {"teacher": 0.0, "student": 1.0}) == "student" for n in range(500))


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_unit_keeps_its_place(seed: str, unit: str) -> None:
    place = bucket(seed, unit)
    assert 0 <= place < 1
    assert bucket(seed, unit) == place


def test_experiments_are_independent_of_each_other() -> None:
    """Correlation of two seeds over 20,000 units: standard error 0.007, tolerance four of them."""
    pairs = [(bucket("one", str(n)) - 0.5, bucket("two", str(n)) - 0.5) for n in range(20_000)]
    correlation = 12 * sum(a * b for a, b in pairs) / len(pairs)
    assert abs(correlation) < 0.028
