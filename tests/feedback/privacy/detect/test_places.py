"""Addresses behind words that introduce them."""

from __future__ import annotations

import re

import pytest

from feedback.privacy.detect.finding import plain, read
from feedback.privacy.detect.places import FIRST, INTRO, places


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ship it to 12 High Street, Flat 3, Leeds LS1 4AB please", ["12 High Street, Flat 3, Leeds LS1 4AB"]),
        ("We ship to 50 countries", []),
        ("the address is 100 Park Boulevard", []),
        ("收货地址是广东省广州市天河区天河路200号，电话", ["广东省广州市天河区天河路200号"]),
        ("收货地址能改吗", []),
        ("酒店地址是北京市朝阳区工体北路4号", []),
        ("寄到北京要多久", []),
    ],
)
def test_an_address_is_found_where_it_is_somebodys(text: str, expected: list[str]) -> None:
    assert [text[found.start : found.end] for found in places(read(plain(text)))] == expected


WORDS_OF_INTRO = (
    *(
        "地址",
        "货地址",
        "地址：",
        "家地址",
        "在",
        "住在",
        "到",
        "货到",
        "住址",
        "住地",
        "口所在地",
        "籍地",
        "往",
        "递到",
    ),
)


def test_an_introduction_begins_with_one_of_the_characters_that_it_is_looked_for_at() -> None:
    bare = re.compile(INTRO.pattern.replace(f"(?=[{FIRST}])", ""))
    assert bare.pattern != INTRO.pattern
    every = "".join(map(chr, range(0x4E00, 0xA000))) + " \n\t，,；;。"
    for word in WORDS_OF_INTRO:
        for first in every:
            text = f"x{first}{word}"
            assert [one.span() for one in INTRO.finditer(text)] == [one.span() for one in bare.finditer(text)], text
