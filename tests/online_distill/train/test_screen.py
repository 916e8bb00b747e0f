"""What is dropped of the targets before training, by name and number; the rest is as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from online_distill.teacher.targets import Scored, TopK
from online_distill.train.screen import screened
from tests.online_distill.train.targets import random_targets
from understudy.errors import IntegrityError

VOCABULARY = 4096


def test_sound_targets_pass_as_they_are() -> None:
    items = random_targets(5)
    assert screened(items, VOCABULARY) == (items, {})


def test_rows_are_dropped_one_by_one_and_texts_where_they_are_at_fault_themselves() -> None:
    items = random_targets(6)
    items[0].top.logprobs[2:4, 0] = np.nan
    items[1].top.ids[0, 1] = items[1].top.ids[0, 0]
    items[2].top.ids[1, 3] = VOCABULARY
    items[3].tokens[0] = VOCABULARY
    items[4] = replace(items[4], weight=float("nan"))
    items[5].top.logprobs[:] = np.inf
    rows = len(items[5].top.ids)
    kept, dropped = screened(items, VOCABULARY)
    assert [item.key for item in kept] == [item.key for item in items[:3]]
    assert dropped == {
        "rows: an id beyond the vocabulary": 1,
        "rows: an id twice": 1,
        "rows: not a number": 2 + rows,
        "texts: a token beyond the vocabulary": 1,
        "texts: a weight that is no number": 1,
    }


@pytest.mark.parametrize("start", [0, 11])
def test_a_text_without_a_prompt_or_a_reply_is_dropped(start: int) -> None:
    good = random_targets(1)[0]
    top = TopK(np.zeros((11 - start, 4), np.int32), np.zeros((11 - start, 4), np.float32))
    bad = Scored("bad", np.arange(11, dtype=np.int32), start, 1.0, top)
    assert screened([good, bad], VOCABULARY)[1] == {"texts: a row for each token of the reply is wanted": 1}


def test_targets_of_which_nothing_is_left_are_refused_by_name() -> None:
    items = random_targets(2)
    for item in items:
        item.top.logprobs[:] = np.nan
    with pytest.raises(IntegrityError, match=r"no target of the round can be learned from .*rows: not a number"):
        screened(items, VOCABULARY)


def test_targets_without_a_tail_are_refused_by_name() -> None:
    item = Scored("a", np.array([1, 2], np.int32), 1, 1.0, TopK(np.arange(4)[None].astype(np.int32), np.zeros((1, 4))))
    with pytest.raises(IntegrityError, match="top_k"):
        screened([item], 4)
