"""Parts of a text around words."""

from __future__ import annotations

import re

from feedback.privacy.detect.reading import Reading
from feedback.privacy.detect.signs import Signs
from feedback.privacy.detect.windows import REACH, STEP, around, found_around, joined, matches


def test_parts_that_touch_are_one_and_none_begins_before_the_text() -> None:
    places = {"ab": [0, 12, 15], "zz": [5]}
    assert around(places, {"ab"}, 1, 2) == [(0, 4), (11, 19)]
    assert around(places, {"x"}, 5, 5) == []


def test_a_part_is_searched_where_a_word_has_its_tail() -> None:
    reading = Reading("ab 1 ..... ab x1", Signs({"ab"}))
    tails = {"ab": re.compile(" x")}
    assert [m.start() for m in found_around(re.compile(r"\d"), reading, {"ab"}, tails, 0, 3)] == [15]


def test_a_long_text_is_searched_in_steps_with_the_same_matches() -> None:
    pattern = re.compile("a+b")
    text = ("a" * 7 + "b" + "." * 100) * (2 * STEP // 100) + "a" * (2 * REACH) + "b"
    assert [one.span() for one in matches(pattern, text)] == [one.span() for one in pattern.finditer(text)]
    assert joined([(0, 2), (2, 3), (1, 9), (11, 12)]) == [(0, 9), (11, 12)]
