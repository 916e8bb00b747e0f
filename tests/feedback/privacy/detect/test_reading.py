"""A text as the detectors read it."""

from __future__ import annotations

import re
import sys

from feedback.privacy.detect.reading import DIGIT, OF_CHARACTER, Reading
from feedback.privacy.detect.signs import Signs

SIGNS = Signs({"pin", "地址"})


def test_digits_of_any_script_have_their_places() -> None:
    assert list(Reading("a1 ٣ 😀２", SIGNS).digits) == [1, 3, 6]
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert all(OF_CHARACTER[ord(digit) % 65536] & DIGIT for digit in re.findall(r"\d", every))


def test_numerals_are_told_where_two_touch() -> None:
    assert Reading("一个二手三轮", SIGNS).numerals() == []
    assert Reading("一个幺三八", SIGNS).numerals() == [0, 2, 3, 4]


def test_letters_that_a_pattern_takes_for_others_are_read_as_these() -> None:
    reading = Reading("my pın, PIN İİ", SIGNS)
    assert reading.words == {"pin": [8]}
    assert reading.near == {"pin": [3, 8]}
    assert len(reading.seen) == len(reading.text)


def test_a_word_counts_with_what_follows_it() -> None:
    reading = Reading("pin 1 pin2", SIGNS)
    assert reading.begun({"pin": re.compile(r"\d")}) == [(6, 10)]
    assert reading.begun({"pin": None, "x": None}) == [(0, 3), (6, 9)]
    assert [reading.digit_within(*span) for span in ((0, 4), (0, 5), (5, 9), (9, 10))] == [False, True, False, True]
