"""Parts of a text around words."""

from __future__ import annotations

from feedback.privacy.detect.windows import around


def test_parts_that_touch_are_one_and_none_begins_before_the_text() -> None:
    assert around("ab..........ab.ab", ("ab",), 1, 2) == [(0, 4), (11, 19)]
    assert around("abc", ("x",), 5, 5) == []
