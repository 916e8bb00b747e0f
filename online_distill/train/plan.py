"""What a run is a function of, beside the parent's weights; written down before the first step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from online_distill.teacher.targets import Scored
from online_distill.train.recipe import Recipe
from understudy.files import read_json, write_json

PLAN = "plan.json"
FORMER = {"replay_weight": 1.0, "hold": 0.0}
"""What a recipe without these keys, of an earlier release, did."""


class RunPlan(BaseModel):
    """Recipe and targets of a run. What the clock decides stands in the trajectory (see `Schedule`)."""

    model_config = ConfigDict(frozen=True)
    schema_version: Literal[1, 2] = 2
    data: str
    """Digest of the targets."""
    recipe: dict[str, Any]
    anew: str = ""
    """Why the plan before this one, and the checkpoint of it, were given up; no part of the digest."""

    def digest(self) -> str:
        """SHA-256 of the plan in hex."""
        return hashlib.sha256(json.dumps(self.model_dump(exclude={"anew"}), sort_keys=True).encode()).hexdigest()


def data_digest(items: Sequence[Scored]) -> str:
    """SHA-256 over every token, weight and target, in order."""
    sha = hashlib.sha256()
    for item in items:
        sha.update(f"{item.key}|{item.start}|{item.weight}|".encode())
        for part in (item.tokens, item.top.ids, item.top.logprobs):
            sha.update(part.tobytes())
    return sha.hexdigest()


def why_anew(stored: RunPlan, data: str, recipe: dict[str, Any]) -> str:
    """What no longer holds of a stored plan, by the names of the keys; empty: it can be gone on with."""
    if stored.schema_version != RunPlan.model_fields["schema_version"].default:
        return "the plan is of another release"
    changed = [
        f"trainer.{key} is {recipe.get(key)}, was {stored.recipe.get(key)}"
        for key in sorted({*recipe, *stored.recipe})
        if recipe.get(key) != stored.recipe.get(key)
    ]
    return "; ".join([*changed, *(["the targets are others"] if stored.data != data else [])])


def make_plan(folder: Path, items: Sequence[Scored], recipe: Recipe) -> RunPlan:
    """The stored plan of `folder`, else a new one."""
    data, settings, anew = data_digest(items), recipe.model_dump(mode="json"), ""
    if (folder / PLAN).is_file():
        stored = read_plan(folder)
        anew = why_anew(stored, data, settings)
        if not anew:
            return stored
    plan = RunPlan(data=data, recipe=settings, anew=anew)
    write_json(folder / PLAN, plan.model_dump(mode="json"))
    return plan


def recipe_of(plan: RunPlan) -> Recipe:
    """The recipe of a stored plan, of an earlier release, too."""
    return Recipe(**{**FORMER, **plan.recipe})


def read_plan(folder: Path) -> RunPlan:
    """The plan that is stored in `folder`."""
    return RunPlan.model_validate(read_json(folder / PLAN))
