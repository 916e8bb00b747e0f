"""The order of steps: each sample once an epoch, a share of replay in each step, and the same for a later start."""

from __future__ import annotations

from itertools import islice

import pytest

from online_distill.train.order import epoch_batches, epoch_tokens, mean_weight, steps_from, steps_of
from tests.online_distill.train.targets import random_targets
from tests.online_distill.world import quick_config

ITEMS = [*random_targets(20, weight=3.0), *random_targets(90, seed=1)]


def test_an_epoch_holds_each_sample_once_and_a_later_start_gives_the_same_steps() -> None:
    lengths = [10 + i % 37 for i in range(100)]
    batches = epoch_batches(lengths, 256, seed=3, epoch=0)
    assert sorted(i for batch in batches for i in batch) == list(range(100))
    assert batches != epoch_batches(lengths, 256, seed=3, epoch=1)
    steps = steps_from(lengths, 256, seed=3)
    first = [next(steps) for _ in range(60)]
    later = steps_from(lengths, 256, seed=3, first=40)
    assert [next(later) for _ in range(20)] == first[40:]


def test_without_a_share_rows_come_as_often_as_there_are_of_them() -> None:
    recipe = quick_config(replay_share=0.0).recipe
    plain = steps_from([len(item.tokens) for item in ITEMS], recipe.batch_tokens, recipe.seed)
    assert list(islice(steps_of(ITEMS, recipe), 30)) == list(islice(plain, 30))


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_each_step_holds_its_share_of_replay(share: float) -> None:
    recipe = quick_config(replay_share=share, batch_tokens=256).recipe
    steps = list(islice(steps_of(ITEMS, recipe), 80))
    tokens = [[sum(len(ITEMS[i].tokens) for i in batch if (i >= 20) == old) for old in (0, 1)] for _, batch in steps]
    assert all(0 < old < (share + 0.1) * 256 and 0 < new < (1.1 - share) * 256 for new, old in tokens)
    new, old = (sum(part) for part in zip(*tokens, strict=True))
    assert old / (new + old) == pytest.approx(share, abs=0.1)
    assert list(islice(steps_of(ITEMS, recipe, first=25), 15)) == steps[25:40]
    assert {i for _, batch in steps for i in batch} == set(range(110))


def test_a_share_of_rows_that_are_not_there_changes_nothing() -> None:
    recipe = quick_config(replay_share=0.5).recipe
    plain = list(islice(steps_of(ITEMS[:20], quick_config().recipe), 9))
    assert list(islice(steps_of(ITEMS[:20], recipe), 9)) == plain


def test_an_epoch_and_a_weight_are_those_of_the_mix() -> None:
    total = sum(len(item.tokens) for item in ITEMS)
    plain, mixed = (
        quick_config(replay_weight=1.0, replay_share=share, batch_tokens=1024).recipe for share in (0.0, 0.5)
    )
    assert epoch_tokens(ITEMS, plain)[0] == total
    assert epoch_tokens(ITEMS, mixed)[0] == 2 * sum(len(item.tokens) for item in ITEMS[:20])
    assert mean_weight(ITEMS, mixed) == 2.0
    assert mean_weight(ITEMS, mixed.model_copy(update={"replay_weight": 3.0})) == 3.0
    rows = [len(item.top.ids) for item in ITEMS]
    assert mean_weight(ITEMS, plain) == pytest.approx((3 * sum(rows[:20]) + sum(rows[20:])) / sum(rows))
