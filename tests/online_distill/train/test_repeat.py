"""A run is repeated to the bit by its trajectory, whatever its clock and its retreats were."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from online_distill.train.checkpoint import CHECKPOINT, trained_weights, weights_digest
from online_distill.train.distil import distil
from online_distill.train.learner import Taken
from online_distill.train.repeat import first_difference, repeat
from online_distill.train.trajectory import TRAJECTORY, read_trajectory
from tests.online_distill.train.targets import random_targets
from tests.online_distill.train.test_distil import poisoned, step_clock
from tests.online_distill.world import quick_config


def test_a_run_with_changes_of_plan_a_retreat_and_bad_rows_is_repeated_to_the_bit(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(monkeypatch, lambda learner, factor: learner.done >= 12 and factor > 0.6)
    items = [*random_targets(20), *random_targets(20, seed=1, weight=3.0)]
    items[3].top.logprobs[0] = math.nan
    recipe = quick_config(max_epochs=20, ema=0.8, pull=0.1, replay_share=0.5, parent_share=0.3).recipe
    with step_clock() as clock:
        _, summary = distil(tmp_path, student, items, recipe, clock.pace(seconds=4.0))
    assert len(summary["retreats"]) == 1
    assert summary["plans"] > 2
    steps, chain = read_trajectory(tmp_path / TRAJECTORY)
    again = repeat(student, items, recipe, steps)
    assert first_difference(again.trajectory, steps) is None
    assert again.chain == chain == summary["chain"]
    digest = weights_digest(again.weights())
    assert digest == summary["weights"] == weights_digest(trained_weights(tmp_path / CHECKPOINT))


@pytest.mark.parametrize("field", ["rate", "loss"])
def test_the_first_step_that_differs_is_named(student: Path, field: str) -> None:
    recipe, items = quick_config().recipe, random_targets(10)
    once = repeat(student, items, recipe, [Taken(step, 0.0, 0.5, 0.0, 0.0) for step in range(4)]).trajectory
    other = [one._replace(**{field: 0.125}) if one.step == 2 else one for one in once]
    assert first_difference(once, once) is None
    assert first_difference(other, once) == 2
