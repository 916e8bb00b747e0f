"""A text as the detectors read it."""

from __future__ import annotations

import re
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feedback.privacy.detect.reading import (
    CLASSES,
    DIGIT,
    FOREIGN,
    LETTER,
    PLAIN,
    PROVINCE,
    UNUSUAL,
    Reading,
    plain,
)
from feedback.privacy.detect.signs import Signs, units

SIGNS = Signs({"pin", "地址"})
ODDS = (
    *("a", "B", "1", "٣", "𝟘", "😀", "橡", "\u200b", "１", "Ａ", "号", "京", "é", "É", "\ud800"),
    *UNUSUAL, *"零一、-",
)  # fmt: skip


def test_digits_of_any_script_have_their_places() -> None:
    reading = Reading("a12 ٣ 😀𝟘 橡", SIGNS)
    assert (reading.runs, reading.digits) == ([(1, 3), (4, 5), (7, 8)], 2)
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    digits = {every[at] for at in np.isin(CLASSES[units(every)], (DIGIT, FOREIGN)).nonzero()[0]}
    assert digits == {digit for digit in re.findall(r"\d", every) if ord(digit) not in PLAIN}


@given(st.lists(st.sampled_from(ODDS), max_size=30).map("".join))
def test_a_text_is_read_as_it_is_plain_and_its_runs_are_those_of_a_pattern(text: str) -> None:
    reading = Reading(text, SIGNS)
    assert reading.text == plain(text) == text.translate(PLAIN)
    assert reading.runs == [match.span() for match in re.finditer(r"\d+", reading.text)]
    assert reading.digits == len(re.findall("[0-9]", reading.text))
    assert len(reading.lower) == len(reading.seen) == len(reading.marks) == len(reading.text)
    letters = [match.start() for match in re.finditer("[a-z]", reading.text, re.I)]
    assert reading.where(LETTER) == letters


def test_numerals_are_told_where_two_touch_and_four_may_be_a_number() -> None:
    assert Reading("一个二手三轮的四", SIGNS).crowded() == []
    assert Reading("一 二 三 四", SIGNS).crowded() == []
    assert Reading("一个壹二八、九     2024     1，2，3，4", SIGNS).crowded() == [(0, 5), (2, 7), (21, 28)]


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


def test_characters_of_a_class_are_told_in_order() -> None:
    assert Reading("京A 京a京B", SIGNS).where(PROVINCE) == [0, 3, 5]
