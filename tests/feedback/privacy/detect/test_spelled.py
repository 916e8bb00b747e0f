"""Numbers in words and numerals."""

from __future__ import annotations

from feedback.privacy.detect.finding import read
from feedback.privacy.detect.labels import Labels
from feedback.privacy.detect.spelled import numerals_as_digits, spelled


def test_numerals_become_digits_in_their_places_and_words_stay_words() -> None:
    assert numerals_as_digits("电话幺三八一二三四五六七八") == "电话13812345678"
    assert numerals_as_digits("一三八、一二三四，五六七八") == "138-1234-5678"
    assert numerals_as_digits("一个二手的三轮车") == "一个二手的三轮车"


def test_a_number_in_words_is_one_where_its_digits_would_be() -> None:
    text = "call me at four one five, double five five, twenty six seventy one"
    found = list(spelled(read(text), Labels(text)))
    assert [(text[one.start : one.end], one.kind) for one in found] == [(text[11:], "PHONE")]
    order = "order number four one five five five five two six seven one"
    assert list(spelled(read(order), Labels(order))) == []
