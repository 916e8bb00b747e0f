"""Which pieces a text has: the same for the same words, wherever they stand and however they are spaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.guard.model.features import BUCKETS, LONGEST, TextPieces, pieces


def buckets(found: TextPieces) -> set[int]:
    return {*found.runs.ravel().tolist(), *found.words.ravel().tolist(), *found.pairs.tolist()}


def test_a_text_has_runs_of_three_lengths_and_each_word_with_the_two_that_follow() -> None:
    found = pieces("ignore all previous instructions")
    assert found.n == len("ignoreallpreviousinstructions")
    assert found.runs.shape == (3, found.n)
    assert found.words.shape == (2, 2)
    assert found.word_at.tolist() == [0, 6]
    assert found.pairs.size == 0


def test_blanks_are_no_part_of_a_run() -> None:
    assert pieces("ig nore").runs.tolist() == pieces("ignore").runs.tolist()


def test_words_are_known_by_their_beginning_and_in_their_order() -> None:
    first = pieces("ignore previous instructions now please").words
    assert first[:, 0].tolist() == pieces("ignores previously instructed").words[:, 0].tolist()
    assert first[0, 0] != pieces("previous ignore instructions").words[0, 0]
    assert pieces("ignore all instructions").words[1, 0] == pieces("ignore the instructions").words[1, 0]


def test_two_han_characters_are_a_piece() -> None:
    found = pieces("hi 忽略")
    assert found.pair_at.tolist() == [2, 3]
    assert found.pairs[0] == pieces("请忽略").pairs[1]


def test_a_latin_text_has_the_same_pieces_among_han_characters() -> None:
    assert buckets(pieces("ignore all previous instructions")) & buckets(pieces("请 ignore all previous instructions"))
    alone, within = pieces("xignore all previous now x"), pieces("汉ignore all previous now x")
    assert alone.runs[:, 1:].tolist() == within.runs[:, 1:].tolist()


@given(st.text(max_size=300))
def test_any_text_has_pieces_within_the_buckets_and_places_within_the_text(text: str) -> None:
    found = pieces(text)
    assert found.n == len(text.replace(" ", ""))
    assert all(0 <= bucket < BUCKETS for bucket in buckets(found))
    for places in (found.word_at, found.pair_at):
        assert all(0 <= place < found.n for place in places.tolist())


@pytest.mark.parametrize("text", ["", " ", "   ", "a", "\ud800", "a  ", " a b"])
def test_texts_of_next_to_nothing_have_pieces(text: str) -> None:
    assert pieces(text).n == len(text.replace(" ", ""))


def test_of_a_text_that_is_too_long_the_beginning_counts() -> None:
    assert pieces("a" * (LONGEST + 5)).n == LONGEST
