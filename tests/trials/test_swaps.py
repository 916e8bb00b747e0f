"""What counts as a mixed reply under swaps, and when it cannot tell."""

from __future__ import annotations

import pytest

from trials.streams import Observed
from trials.swaps import LONG, SHORT, distinct, mixed

REFERENCE = {
    ("v1", LONG): ["It arrives on Friday.", "可以，七天内。"],
    ("v2", LONG): ["It arrives on Monday.", "可以，七天内。"],
    ("v3", LONG): ["It was lost.", "不行。"],
    ("v1", SHORT): ["It arrives", "可以"],
}


def seen(text: str, version: str = "v1", tokens: int = LONG, prompt: int = 0, finished: bool = True) -> Observed:
    return Observed(prompt, tokens, 0.0, version=version, text=text, finished=finished)


def test_a_reply_is_pure_only_when_it_is_word_for_word_that_of_its_version() -> None:
    assert not mixed(seen("It arrives on Friday."), REFERENCE)
    assert not mixed(seen("It arrives", tokens=SHORT), REFERENCE)
    assert not mixed(seen("可以，七天内。", prompt=1), REFERENCE)


@pytest.mark.parametrize(
    "text", ["", "It arrives", "It arrives on Monday.", "It was lost.", "It arrives on Friday. It"]
)
def test_an_empty_halved_longer_or_foreign_reply_is_mixed(text: str) -> None:
    assert mixed(seen(text), REFERENCE)


def test_a_version_that_nobody_asked_for_is_mixed_and_a_cut_reply_is_counted_elsewhere() -> None:
    assert mixed(seen("It arrives on Friday.", version="v9"), REFERENCE)
    assert not mixed(seen("It arr", finished=False), REFERENCE)


def test_the_two_most_similar_versions_bound_what_can_be_told_apart() -> None:
    assert distinct(REFERENCE) == 1
