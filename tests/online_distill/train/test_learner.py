"""One step: weights applied once, a gradient that is no number changes nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from online_distill.teacher.targets import Scored
from online_distill.train.learner import FLOOR, PATIENCE, Diverged, Learner, rate
from tests.online_distill.train.targets import random_targets
from tests.online_distill.world import quick_config


@pytest.fixture
def learner(student: Path) -> Learner:
    return Learner(student, quick_config().recipe, 10, mean_weight=1.0)


def test_the_rate_warms_up_and_falls_to_its_floor() -> None:
    factors = [rate(step, 100, warmup=10) for step in range(140)]
    assert factors[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert factors[10] == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[100:] == pytest.approx([FLOOR] * 40)
    assert all(math.isfinite(rate(0, 0, warmup)) for warmup in (0, 10))


def test_a_weight_of_three_counts_three_times_and_once(learner: Learner) -> None:
    light, heavy = random_targets(1, weight=1.0)[0], random_targets(1, weight=3.0)[0]
    one, nats, tokens = learner.loss([light])
    three, same, _ = learner.loss([heavy])
    assert three.item() == pytest.approx(3 * one.item(), rel=1e-5)
    assert nats == same
    assert tokens == len(light.tokens) - light.start
    both, _, _ = learner.loss([light, heavy])
    assert both.item() == pytest.approx(2 * one.item(), rel=2e-2)


def test_gradients_that_are_no_numbers_change_nothing_and_end_the_run(learner: Learner) -> None:
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    item = random_targets(1)[0]
    broken = Scored(item.key, item.tokens, item.start, float("nan"), item.top)
    assert learner.step([broken]).skipped
    assert all(torch.equal(value, before[name]) for name, value in learner.model.state_dict().items())
    for _ in range(PATIENCE - 2):
        learner.step([broken])
    with pytest.raises(Diverged, match="learning_rate"):
        learner.step([broken])


def test_a_checkpoint_is_taken_up_by_its_own_plan_alone(learner: Learner, student: Path, tmp_path: Path) -> None:
    items = random_targets(6)
    for _ in range(3):
        learner.step(items)
    learner.save(tmp_path / "checkpoint.pt", "this plan")
    assert not (tmp_path / "checkpoint.draft").exists()
    other = Learner(student, quick_config().recipe, 10, mean_weight=1.0)
    assert other.restore(tmp_path / "none.pt", "this plan") is False
    assert other.restore(tmp_path / "checkpoint.pt", "another plan") is False
    assert other.done == 0
    assert other.restore(tmp_path / "checkpoint.pt", "this plan") is True
    assert other.step(items) == learner.step(items)
    assert (other.done, other.chain, other.trajectory) == (learner.done, learner.chain, learner.trajectory)
