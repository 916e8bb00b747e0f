"""Numbers in words and numerals."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from feedback.privacy.detect.finding import read
from feedback.privacy.detect.labels import Labels
from feedback.privacy.detect.reading import NUMERALS
from feedback.privacy.detect.spelled import SPOKEN, WORDS, _as_digits, _said, numerals_as_digits, spelled


def test_numerals_become_digits_in_their_places_and_words_stay_words() -> None:
    assert numerals_as_digits(read("电话幺三八一二三四五六七八")) == "电话13812345678"
    assert numerals_as_digits(read("一三八、一二三四，五六七八")) == "138-1234-5678"
    assert numerals_as_digits(read("一个二手的三轮车")) == "一个二手的三轮车"


NUMERAL_PARTS = ("一", "二三", "4", "56", " ", "、", "，", "-", ",", "号", "٣", "")


@given(st.lists(st.sampled_from(NUMERAL_PARTS), max_size=20).map("".join))
def test_numerals_are_replaced_as_everywhere(text: str) -> None:
    touching = re.search(f"[{NUMERALS}]{{2}}", text)
    assert numerals_as_digits(read(text)) == (SPOKEN.sub(_as_digits, text) if touching else text)


def test_a_number_in_words_is_one_where_its_digits_would_be() -> None:
    text = "call me at four one five, double five five, twenty six seventy one"
    found = list(spelled(read(text), Labels(text)))
    assert [(text[one.start : one.end], one.kind) for one in found] == [(text[11:], "PHONE")]
    order = "order number four one five five five five two six seven one"
    assert list(spelled(read(order), Labels(order))) == []


PARTS = ("one", "two", "o", "oh", "double", "12", "345", "6", "67890", "plus", "phone", "other", "x", "tone", "七")
GAPS = (" ", "  ", "-", ". ", ", ", " – ", "\n", "", ":", "    ", "_")


@given(st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from(GAPS)), max_size=14))
def test_parts_alone_are_searched_and_all_is_found_that_the_whole_text_holds(parts: list[tuple[str, str]]) -> None:
    text = "".join(part + gap for part, gap in parts)
    assert [found.span() for found in _said(read(text))] == [found.span() for found in WORDS.finditer(text)]
