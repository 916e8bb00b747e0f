"""Thresholds that catch no more of harmless texts than is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.guard.tuning import DEGRADED_SHARE, FEWEST_CAUGHT, needed, scores, tuned
from tests.serving.guard.words import ATTACK, DOUBTFUL, HARMLESS, WordModel


@given(st.lists(st.floats(-20, 20, width=16), min_size=200, max_size=400), st.sampled_from([0.05, 0.1, 0.5]))
def test_no_more_than_the_share_reaches_a_threshold_and_none_lower_would_do(found: list[float], share: float) -> None:
    made = tuned(found, share)
    assert made is not None
    for limit, most, caught in (
        (made.flag, int(share * len(found)), made.flagged),
        (made.degrade, int(DEGRADED_SHARE * share * len(found)), made.degraded),
    ):
        if limit is not None:
            assert caught == sum(score >= limit for score in found) <= most
    assert sum(score >= made.flag - 2e-4 for score in found) > int(share * len(found))
    assert made.degrade is None or made.degrade >= made.flag


def test_few_texts_say_nothing_and_not_many_say_only_when_to_flag() -> None:
    assert tuned([0.0] * (needed(0.1) - 1), 0.1) is None
    made = tuned([float(n) for n in range(needed(0.1))], 0.1)
    assert made is not None
    assert (made.flagged, made.degrade) == (FEWEST_CAUGHT, None)
    assert tuned([float(n) for n in range(needed(0.01))], 0.1) is not None


@pytest.mark.parametrize("text", [HARMLESS, DOUBTFUL, ATTACK])
def test_a_text_scores_as_the_guard_finds_it_and_twice_the_same_counts_once(text: str) -> None:
    assert scores(WordModel(), [text, text, " "]) == [WordModel().score(text.lower())]
