"""Parts of a text around words."""

from __future__ import annotations

import re

from feedback.privacy.detect.reading import Reading
from feedback.privacy.detect.signs import Signs
from feedback.privacy.detect.windows import around, found_around


def test_parts_that_touch_are_one_and_none_begins_before_the_text() -> None:
    places = {"ab": [0, 12, 15], "zz": [5]}
    assert around(places, {"ab"}, 1, 2) == [(0, 4), (11, 19)]
    assert around(places, {"x"}, 5, 5) == []


def test_a_part_is_searched_where_a_word_has_its_tail() -> None:
    reading = Reading("ab 1 ..... ab x1", Signs({"ab"}))
    tails = {"ab": re.compile(" x")}
    assert [m.start() for m in found_around(re.compile(r"\d"), reading, {"ab"}, tails, 0, 3)] == [15]
