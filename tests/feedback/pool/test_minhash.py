"""Sketches estimate how alike two questions are."""

from __future__ import annotations

from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.pool.minhash import PERMUTATIONS, ROWS, SHINGLE, similarity, sketch

WORDS = [f"word{n * 7919 % 9973}" for n in range(60)]


def jaccard(one: str, other: str) -> float:
    a, b = ({text[i : i + SHINGLE] for i in range(len(text) - SHINGLE + 1)} for text in (one, other))
    return len(a & b) / len(a | b)


@given(st.lists(st.text(ascii_letters + digits + "订单", min_size=1, max_size=9), min_size=1, max_size=9))
def test_a_text_is_its_own_twin_whatever_its_case_and_spaces(words: list[str]) -> None:
    one, other = sketch(" ".join(words)), sketch(f"\t{'  '.join(words).upper()}\n")
    assert one == other
    assert similarity(one.signature, other.signature) == 1.0


@given(st.text(max_size=80))
def test_any_text_has_a_sketch(text: str) -> None:
    assert len(sketch(text).bands) == PERMUTATIONS // ROWS


@pytest.mark.parametrize("changed", [0, 3, 10, 30, 60])
def test_the_estimate_is_near_the_jaccard_similarity(changed: int) -> None:
    """No chance here: the permutations are fixed. Four standard errors of at most 0.063."""
    one = " ".join(WORDS)
    other = " ".join([f"other{n}" for n in range(changed)] + WORDS[changed:])
    found = similarity(sketch(one).signature, sketch(other).signature)
    assert found == pytest.approx(jaccard(one, other), abs=4 * 0.063)


def test_near_twins_share_a_band_and_strangers_or_other_realms_none() -> None:
    text = " ".join(WORDS)
    near, far = sketch(text + " please"), sketch("wholly other words, of which nothing is there")
    assert set(sketch(text).bands) & set(near.bands)
    assert not set(sketch(text).bands) & set(far.bands)
    assert not set(sketch(text, "a").bands) & set(sketch(text, "b").bands)
    assert len(near.bands) == PERMUTATIONS // ROWS
