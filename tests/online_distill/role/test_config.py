"""One flat section of three owners: each key belongs to one of them, and reading it loads no model library."""

from __future__ import annotations

import subprocess
import sys

from online_distill.data.config import DataConfig
from online_distill.role.config import TrainerConfig
from online_distill.train.recipe import Recipe
from tests.waiting import LONG


def test_a_key_has_one_owner() -> None:
    assert not set(Recipe.model_fields) & set(DataConfig.model_fields)
    own = set(TrainerConfig.__annotations__)
    assert not own & {*Recipe.model_fields, *DataConfig.model_fields}
    assert own | {*Recipe.model_fields, *DataConfig.model_fields} == set(TrainerConfig.model_fields)


def test_the_recipe_is_its_own_keys_of_the_section_and_no_others() -> None:
    config = TrainerConfig(seed=4, learning_rate=1e-4, nice=3, max_hard=9)
    assert type(config.recipe) is Recipe
    assert config.recipe == Recipe(seed=4, learning_rate=1e-4)
    assert config.recipe == TrainerConfig(seed=4, learning_rate=1e-4, nice=5, poll_seconds=8.0).recipe


def test_a_manifest_names_every_setting_that_has_a_part_in_the_weights() -> None:
    found = TrainerConfig(seed=4, max_hard=9).lineage()
    assert (found["seed"], found["max_hard"], found["learning_rate"]) == (4, 9, Recipe().learning_rate)
    assert not {"nice", "poll_seconds", "min_fresh"} & set(found)


def test_the_configuration_is_read_without_torch() -> None:
    code = "import sys, online_distill.role.config; print(sorted(sys.modules.keys() & {'torch', 'transformers'}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG, check=True)
    assert out.stdout.strip() == "[]"
