"""What is found is what was found before finding was made fast: the former detectors are the oracle."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.privacy.detect.finding import find, plain
from feedback.privacy.detect.windows import STEP
from feedback.privacy.redact import NOTHING, ROLES, Redactor
from tests.feedback.privacy.oracle import finding as former
from tests.feedback.privacy.oracle.redactor import Redactor as Former
from tests.feedback.privacy.planting import ENDS, JOINTS, WORDS, planted
from trials.turns import turns

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
PARTS, COUNT = (10, 2000) if FULL else (1, 600)
SEED = int(os.environ.get("UNDERSTUDY_SEED", "1"))


def spans(text: str) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.kind) for one in find(plain(text))]


def spans_before(text: str) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.kind) for one in former.find(former.plain(text))]


@pytest.mark.parametrize("part", range(PARTS))
def test_planted_values_are_found_where_they_were_and_get_the_same_surrogates(part: int) -> None:
    found = 0
    for text in planted(COUNT, SEED + 100 * part):
        assert spans(text) == spans_before(text), repr(text)
        redactor, before = Redactor(), Former()
        value = {"content": text, "arguments": {text[:12]: text[12:]}}
        assert redactor.value(value) == before.value(value), repr(text)
        found += sum(redactor.found.values())
    assert found > COUNT, "what was planted holds hardly a value"


def test_turns_as_people_write_them_keep_what_they_kept() -> None:
    for name in ("en", "zh"):
        stretches = turns(name).stretches(500, SEED)
        for _ in range(PARTS * COUNT // 8):
            text = next(stretches)
            assert spans(text) == spans_before(text), repr(text)


def test_texts_longer_than_a_step_keep_what_they_kept() -> None:
    pieces = itertools.cycle(planted(300, SEED + 1))
    for _ in range(3):
        text = ""
        while len(text) < 2 * STEP:
            text += next(pieces)
        assert spans(text) == spans_before(text)


PIECES = (
    *WORDS, *ENDS, *JOINTS, *"0123456789",
    *("138", "1234", "12345678", "010-", "@b.com", "\n", "é", "ſ", "𝟘", "\ud800"),
)  # fmt: skip


@settings(max_examples=2000 if FULL else 150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_pieces_in_any_order_keep_what_they_kept(text: str) -> None:
    assert spans(text) == spans_before(text)


LETTERS = st.text("abcdeiknoprstwxy_", max_size=6)


@settings(max_examples=2000 if FULL else 100, deadline=None)
@given(st.tuples(LETTERS, st.sampled_from([word for word in WORDS if NOTHING.fullmatch(word)]), LETTERS).map("".join))
def test_a_word_that_is_not_looked_at_held_nothing(text: str) -> None:
    word = text[:20]
    assert NOTHING.fullmatch(word)
    assert former.find(word) == []
    assert all(former.find(f"{role}: {word}") == [] for role in ROLES)
