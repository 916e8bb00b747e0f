"""What is found in a message: every personal value whole, nothing of the shop's own."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from feedback.privacy.detect.finding import find, plain
from feedback.privacy.detect.shapes import Found
from feedback.privacy.detect.windows import REACH, STEP
from tests.feedback.privacy.detect.messages import HARMLESS, MARK, PERSONAL


@pytest.mark.parametrize("line", PERSONAL.strip().splitlines())
def test_a_personal_value_is_found_whole(line: str) -> None:
    text = MARK.sub(r"\1", line)
    hidden = {place for one in find(plain(text)) for place in range(one.start, one.end)}
    marks = list(MARK.finditer(line))
    assert marks
    for before, mark in enumerate(marks):
        at = mark.start() - 4 * before
        shown = [text[i] for i in range(at, at + len(mark.group(1))) if i not in hidden and text[i].isalnum()]
        assert shown == [], f"{shown} of {mark.group(1)!r} stays"


@pytest.mark.parametrize("text", HARMLESS.strip().splitlines())
def test_what_is_the_shops_own_stays(text: str) -> None:
    assert find(plain(text)) == []


def test_what_two_find_is_cut_once_and_comes_in_order() -> None:
    found = find("收货地址：杭州市西湖区文三路13812345678号2单元501室，收件人：王芳")
    assert [one.kind for one in found] == ["ADDRESS", "PHONE", "ADDRESS", "NAME"]
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_many_values_and_long_texts_keep_their_places() -> None:
    text = "call me at 4125551234, " * ((STEP + REACH) // 20)
    assert find(text) == [Found(at.start(), at.end(), "PHONE") for at in re.finditer(r"\d+", text)]


def test_letters_that_grow_in_lower_case_move_nothing() -> None:
    assert find("İİİ mail BOB@EXAMPLE.COM")[0] == Found(9, 24, "EMAIL")
