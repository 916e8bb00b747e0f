"""Low-rank additions: nothing at first, alone in learning, and merged under the names that the weights have."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from online_distill import models
from online_distill.role.stages.export import export_weights
from online_distill.train.checkpoint import trained_weights, write_checkpoint
from online_distill.train.learner import Learner
from online_distill.train.recipe import Recipe
from tests.online_distill.train.targets import random_targets
from tests.online_distill.world import quick_config

TOKENS = torch.tensor([[7, 8, 9, 10, 11]])


def test_additions_alone_learn_and_are_merged_into_the_weights(student: Path) -> None:
    before = models.load(student).state_dict()
    learner = Learner(student, quick_config(lora_rank=4).recipe, mean_weight=1.0)
    assert learner.weights().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in learner.weights().items())
    items = random_targets(4)
    reports = [learner.step(items, 1.0, 0.0) for _ in range(5)]
    assert reports[-1].loss < reports[0].loss
    after = learner.weights()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if name.endswith("_proj.weight")}
    merged = models.load(student)
    merged.load_state_dict(after)
    with torch.no_grad():
        ours, theirs = (models.layer_states(model.eval(), TOKENS)[-1] for model in (learner.model, merged))
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_a_checkpoint_is_gone_on_with(student: Path) -> None:
    recipe, items = quick_config(lora_rank=4).recipe, random_targets(4)
    one, other = (Learner(student, recipe, mean_weight=1.0) for _ in range(2))
    one.step(items, 1.0, 0.0)
    other.load_state(copy.deepcopy(one.state()))
    for learner in (one, other):
        learner.step(items, 1.0, 0.0)
    assert all(torch.equal(value, other.weights()[name]) for name, value in one.weights().items())


def test_a_round_exports_the_weights_with_the_additions_in_them(student: Path, tmp_path: Path) -> None:
    learner = Learner(student, quick_config(lora_rank=4).recipe, mean_weight=1.0)
    learner.step(random_targets(4), 1.0, 0.0)
    write_checkpoint(tmp_path / "c.pt", "p", {"learner": learner.state()})
    export_weights(student, trained_weights(tmp_path / "c.pt"), 1.0, tmp_path / "model")
    exported = models.load(tmp_path / "model").state_dict()
    assert all(torch.equal(exported[name], value.bfloat16().float()) for name, value in learner.weights().items())
    assert any(not torch.equal(exported[name], value) for name, value in models.load(student).state_dict().items())


@pytest.mark.parametrize("also", ["pull", "ema"])
def test_what_holds_all_weights_goes_not_with_it(also: str) -> None:
    with pytest.raises(ValidationError, match="lora_rank goes with neither"):
        Recipe.model_validate({"lora_rank": 4, also: 0.5})
