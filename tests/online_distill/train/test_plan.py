"""The plan of a run: kept while recipe and targets are the same, else begun anew with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from online_distill.train.plan import RunPlan, data_digest, make_plan, recipe_of, why_anew
from online_distill.train.recipe import Recipe
from tests.online_distill.train.targets import random_targets
from tests.online_distill.world import quick_config
from understudy.files import write_json


def plan(recipe: Recipe, anew: str = "") -> RunPlan:
    return RunPlan(data="d1", recipe=recipe.model_dump(mode="json"), anew=anew)


def test_a_plan_holds_while_recipe_and_targets_do() -> None:
    recipe = Recipe()
    assert why_anew(plan(recipe), "d1", recipe.model_dump(mode="json")) == ""
    assert why_anew(plan(recipe), "d2", recipe.model_dump(mode="json")) == "the targets are others"


def test_a_plan_of_an_earlier_release_is_repeated_as_it_was_trained() -> None:
    now = Recipe(hold=2.0, replay_weight=5.0)
    assert recipe_of(plan(now)) == now
    stored = {key: value for key, value in now.model_dump().items() if key not in ("hold", "replay_weight")}
    former = recipe_of(RunPlan(data="d1", recipe=stored))
    assert (former.hold, former.replay_weight) == (0.0, 1.0)


OTHER = {
    "blends": [0.5, 1.0],
    "max_steps": 7,
    "divergence": "js",
    "device": "cpu",
    "pull": 0.5,
    "lora_rank": 4,
    "ema": 0.5,
    "replay_share": 0.25,
    "parent_share": 0.5,
}


@pytest.mark.parametrize("key", list(Recipe.model_fields))
def test_a_change_of_any_key_of_the_recipe_is_named(key: str) -> None:
    before = Recipe()
    value = OTHER.get(key) or getattr(before, key) * 0.5 + (key in ("seed", "threads"))
    changed = {**before.model_dump(mode="json"), key: value}
    assert (
        why_anew(plan(before), "d1", changed) == f"trainer.{key} is {value}, was {before.model_dump(mode='json')[key]}"
    )


def test_a_key_that_a_former_version_recorded_is_a_change() -> None:
    stored = plan(Recipe()).model_copy(update={"recipe": {**Recipe().model_dump(mode="json"), "nice": 3}})
    assert why_anew(stored, "d1", Recipe().model_dump(mode="json")) == "trainer.nice is None, was 3"


def test_the_reason_for_a_new_plan_is_no_part_of_its_digest() -> None:
    assert plan(Recipe()).digest() == plan(Recipe(), anew="trainer.seed is 1, was 0").digest()
    assert plan(Recipe()).digest() != plan(Recipe(seed=1)).digest()


def test_a_plan_is_made_once_and_replaced_with_the_reason(tmp_path: Path) -> None:
    items = random_targets(20)
    first = make_plan(tmp_path, items, quick_config(max_epochs=2).recipe)
    assert (first.anew, first.data) == ("", data_digest(items))
    assert make_plan(tmp_path, items, quick_config(max_epochs=2).recipe) == first
    second = make_plan(tmp_path, items, quick_config(max_epochs=1).recipe)
    assert second.anew == "trainer.max_epochs is 1.0, was 2.0"


def test_a_plan_of_the_first_version_is_begun_anew(tmp_path: Path) -> None:
    recipe = quick_config().recipe
    stored = {**plan(recipe).model_dump(mode="json"), "schema_version": 1, "steps": 9, "most": 20, "step_seconds": 0.1}
    write_json(tmp_path / "plan.json", stored)
    assert make_plan(tmp_path, random_targets(4), recipe).anew == "the plan is of another release"
