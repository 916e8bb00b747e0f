"""Where words are: exactly where `str.find` finds them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.privacy.detect.finding import SIGNS
from feedback.privacy.detect.signs import FEW, NOTHING, SOME_DIGIT, Signs, units

WORDS = ("ab", "abc", "bcd", " at ", "号", "地址", "收货人", "x", "aba", "@")


def naive(text: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for word in WORDS:
        at = text.find(word)
        while at >= 0:
            found.setdefault(word, []).append(at)
            at = text.find(word, at + len(word))
    return found


@given(st.lists(st.sampled_from([*WORDS, "a", "b", " ", "址", "😀", "\ud800", "é"])).map("".join))
def test_words_are_found_where_they_are(text: str) -> None:
    assert Signs(WORDS).places(text, units(text)) == naive(text)


def test_what_is_beyond_the_basic_plane_is_told_apart_as_digits_and_others() -> None:
    assert units("a😀𝟘\U00020000").tolist() == [97, NOTHING, SOME_DIGIT, NOTHING]


def test_many_places_are_sifted_by_the_next_character_and_no_word_is_lost() -> None:
    text = "xbcd abc bce " * FEW + "bcd abc bc"
    assert Signs(("bcd", "abcd", "bcef")).places(text, units(text)) == {
        "bcd": [1 + 13 * number for number in range(FEW)] + [13 * FEW]
    }
    text += "abcd bcef" * 3
    assert Signs(("abcd", "bcef")).places(text, units(text)) == {
        word: [at.start() for at in re.finditer(word, text)] for word in ("abcd", "bcef")
    }


def test_a_word_beyond_the_basic_plane_is_refused() -> None:
    for word in ("", "😀😀"):
        with pytest.raises(ValueError, match="basic plane"):
            Signs([word])


def test_each_word_of_the_detectors_is_found_alone() -> None:
    words = {word for grams in (SIGNS._pairs, SIGNS._triples) for held in grams.values() for word, _ in held}
    assert len(words) > 300
    for word in words:
        assert SIGNS.places(f"..{word}..", units(f"..{word}.."))[word] == [2], word
