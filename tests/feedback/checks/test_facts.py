"""Facts with their units are found in digits and words, in time that grows with the text alone."""

from __future__ import annotations

import pytest

from feedback.checks.facts import PATTERNS, facts, number
from tests.feedback.linear import expect_linear


def test_numbers_are_read_in_digits_and_words() -> None:
    assert [number(t) for t in ("12.5", "1,250", "three", "三", "十二", "两百零五")] == [12.5, 1250, 3, 3, 12, 205]
    assert facts("满200元打八折，3天内有效") == {"money": {"200"}, "discount": {"8"}, "days": {"3"}}


@pytest.mark.parametrize("unit", dict(PATTERNS))
def test_facts_are_found_in_time_that_grows_with_the_text_alone(unit: str) -> None:
    parts = ("1", "1,111", "1.1", "1. ", "一", "百分之", "one ", "$1,", ",111")
    for pattern in (pattern for name, pattern in PATTERNS if name == unit):
        expect_linear(pattern.findall, parts, ("", "1", "$"))


def test_numbers_that_are_no_facts_leave_those_beside_them() -> None:
    assert facts("1" * 16 + " days, 3 days, 12,345.5 yuan, v1.2.3 items, 我买了，3件") == {
        "days": {"3"}, "money": {"12345.5"}, "items": {"3"},
    }  # fmt: skip
