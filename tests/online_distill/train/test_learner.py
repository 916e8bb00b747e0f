"""One step: weights applied once, bad rows left out, a gradient that is no number changes nothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from online_distill import models
from online_distill.teacher.targets import Scored, TopK
from online_distill.train.learner import Learner
from online_distill.train.weights.hold import Hold
from tests.online_distill.train.targets import random_targets
from tests.online_distill.world import quick_config

BROKEN = 5
"""A token that no random target has."""


@pytest.fixture
def learner(student: Path) -> Learner:
    return Learner(student, quick_config(replay_weight=1.0).recipe, mean_weight=1.0)


def with_rows(item: Scored, ids: object = None, logprobs: object = None) -> Scored:
    """The item with the first row of its targets changed."""
    top = TopK(item.top.ids.copy(), item.top.logprobs.copy())
    if ids is not None:
        top.ids[0] = ids
    if logprobs is not None:
        top.logprobs[0] = logprobs
    return replace(item, top=top)


def test_a_weight_of_three_counts_three_times_and_once(learner: Learner) -> None:
    light, heavy = random_targets(1, weight=1.0)[0], random_targets(1, weight=3.0)[0]
    one, nats, tokens = learner.loss([light])
    three, same, _ = learner.loss([heavy])
    assert three.item() == pytest.approx(3 * one.item(), rel=1e-5)
    assert nats == same
    assert tokens == len(light.tokens) - light.start
    both, _, _ = learner.loss([light, heavy])
    assert both.item() == pytest.approx(2 * one.item(), rel=2e-2)


@pytest.mark.parametrize(
    "changes",
    [{"logprobs": np.nan}, {"ids": 7}, {"ids": [1, 2, 3, 4096]}, {"ids": [-1, 2, 3, 4]}, {"logprobs": 0.0}],
    ids=["no number", "twice", "beyond", "negative", "more than 1"],
)
def test_a_row_that_cannot_be_learned_from_counts_nowhere(learner: Learner, changes: dict[str, object]) -> None:
    item = random_targets(1)[0]
    shorter = replace(
        item, start=item.start + 1, top=TopK(item.top.ids[1:], item.top.logprobs[1:])
    )  # the same text without its first row
    loss, nats, tokens = learner.loss([with_rows(item, **changes)])
    expected, same, count = learner.loss([shorter])
    assert (loss.item(), nats, tokens) == (expected.item(), same, count)


def test_a_token_that_the_teacher_rules_out_can_be_learned_from(learner: Learner) -> None:
    item = with_rows(random_targets(1)[0], logprobs=[-0.1, -3.0, -np.inf, -np.inf])
    report = learner.step([item], 1.0, 0.0)
    assert not report.skipped
    assert report.tokens == len(item.top.ids)


def test_gradients_that_are_no_numbers_change_nothing(learner: Learner) -> None:
    item = random_targets(1)[0]
    learner.model.get_input_embeddings().weight.data[BROKEN] = float("nan")
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    item.tokens[1] = BROKEN
    assert learner.step([item], 1.0, 0.0).skipped
    assert (learner.skipped, learner.done) == (1, 1)
    for name, value in learner.model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)


def test_a_state_is_taken_up_to_the_last_bit(student: Path) -> None:
    recipe, items = quick_config(ema=0.9, pull=3.0).recipe, random_targets(6)
    one, other = (Learner(student, recipe, mean_weight=1.0) for _ in range(2))
    for step in range(3):
        one.step(items, 0.5, step / 10)
    other.load_state(copy.deepcopy(one.state()))
    assert other.step(items, 0.4, 0.3) == one.step(items, 0.4, 0.3)
    assert (other.done, other.chain, other.trajectory) == (one.done, one.chain, one.trajectory)
    for name, value in one.weights().items():
        assert torch.equal(value, other.weights()[name])


def test_the_rate_of_a_step_is_its_share_of_the_recipes(student: Path) -> None:
    far, near, still = (Learner(student, quick_config().recipe, mean_weight=1.0) for _ in range(3))
    before = {name: value.clone() for name, value in far.model.state_dict().items()}
    for learner, factor in ((far, 1.0), (near, 0.1), (still, 0.0)):
        learner.step(random_targets(4), factor, 0.0)
    moved = [
        sum(float((value - before[name]).abs().sum()) for name, value in learner.model.state_dict().items())
        for learner in (far, near, still)
    ]
    assert moved[1] == pytest.approx(moved[0] / 10, rel=0.05)
    assert moved[2] == 0.0


def test_parts_that_are_padded_apart_give_the_same_loss(student: Path) -> None:
    items = [*random_targets(4, weight=3.0), *random_targets(5, seed=1)]
    items[5].top.logprobs[0] = np.nan
    together, apart = (
        Learner(student, quick_config(replay_share=share).recipe, mean_weight=2.0).loss(items) for share in (0.0, 0.5)
    )
    assert apart[0].item() == pytest.approx(together[0].item(), rel=1e-3)
    assert apart[1:] == (pytest.approx(together[1], rel=1e-3), together[2])


def test_replay_is_held_to_the_parents_states_and_hard_rows_are_not(student: Path) -> None:
    def strayed(hold: float, weight: float) -> float:
        items, learner = random_targets(4, weight=weight), Learner(student, quick_config(hold=hold).recipe, 1.0)
        for _ in range(4):
            learner.step(items, 1.0, 0.0)
        tokens = models.pad([item.tokens.tolist() for item in items], learner.device)
        states = models.layer_states(learner.model, tokens)
        return Hold(models.load(student), 1.0).strayed(states, tokens, [len(item.tokens) for item in items]).item()

    assert strayed(100.0, weight=1.0) < 0.8 * strayed(0.0, weight=1.0)
    assert strayed(100.0, weight=3.0) == strayed(0.0, weight=3.0)


def test_replay_counts_by_the_recipes_weight_and_its_own(student: Path) -> None:
    [item] = random_targets(1)
    light, heavy = (
        Learner(student, quick_config(replay_weight=weight).recipe, mean_weight=1.0) for weight in (1.0, 2.5)
    )
    assert heavy.loss([item])[0].item() == pytest.approx(2.5 * light.loss([item])[0].item(), rel=1e-5)
    [hard] = random_targets(1, weight=3.0)
    assert heavy.loss([hard])[0].item() == light.loss([hard])[0].item()
