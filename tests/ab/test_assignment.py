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


@pytest.mark.parametrize(
    ("text", "thousandth"),
    [("a", 220), ("b", 77), ("ab", 946), ("def", 652), ("8952klfjas09ujkasdf", 549), ("123", 11), ('___)((*":&', 563)],
)
def test_fnv_agrees_with_growthbook_s_first_version(text: str, thousandth: int) -> None:
    """Its cases `hash` of version 1: thousandths of the hash of the text alone."""
    assert fnv1a32(text) % 1_000 == thousandth


@pytest.mark.parametrize(
    ("unit", "second", "first"),
    [
        ("用户一", 0.9893, 0.88),
        ("naïve café", 0.8386, 0.365),
        ("😀", 0.649, 0.472),
        ("user-😀-7", 0.39, 0.352),
        ("𝒳𝒴", 0.2737, 0.232),
        ("👩\u200d👩\u200d👧", 0.7991, 0.623),
        ("\ud83d", 0.0051, 0.136),
        ("a\ud83dé", 0.5383, 0.582),
        ("\0x", 0.763, 0.349),
    ],
)
def test_units_beyond_ascii_have_the_place_that_javascript_gives_them(unit: str, second: float, first: float) -> None:
    """`hash("实验😀", unit, 2)` and `hash("", unit, 1)` of the npm package @growthbook/growthbook 1.6.1 in Node 20.

    Code units, not code points: Python's, Go's and others' SDKs differ from the third on. Half a pair counts, too.
    """
    assert bucket("实验😀", unit) == second
    assert fnv1a32(unit) % 1_000 / 1_000 == first


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
