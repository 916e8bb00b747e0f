"""The plan of a run: how many steps, and what else they depend on; fixed before the first of them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from online_distill.teacher.targets import Scored
from online_distill.train.learner import Learner
from online_distill.train.order import epoch_batches
from online_distill.train.recipe import Recipe
from understudy.files import read_json, write_json

CALIBRATION_STEPS = 4
"""Steps on a copy that is thrown away, the first of which is not timed."""
PLAN = "plan.json"


class StepPlan(BaseModel):
    """What a run is a function of, beside the parent's weights and the targets.

    Later revisions of the number of steps stand in the trajectory, so that a run can be repeated exactly.
    """

    model_config = ConfigDict(frozen=True)
    schema_version: Literal[1] = 1
    steps: int
    """To begin with; see `revised`."""
    most: int
    """Steps in `max_epochs`."""
    step_seconds: float
    mean_weight: float
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


def why_anew(stored: StepPlan, data: str, recipe: dict[str, Any]) -> str:
    """What no longer holds of a stored plan, by the names of the keys; empty: it can be gone on with."""
    changed = [
        f"trainer.{key} is {recipe.get(key)}, was {stored.recipe.get(key)}"
        for key in sorted({*recipe, *stored.recipe})
        if recipe.get(key) != stored.recipe.get(key)
    ]
    return "; ".join([*changed, *(["the targets are others"] if stored.data != data else [])])


def make_plan(folder: Path, parent: Path, items: Sequence[Scored], recipe: Recipe, seconds: float) -> StepPlan:
    """The stored plan of `folder`, else a new one for `seconds` of training, by timing a few steps."""
    data, settings, anew = data_digest(items), recipe.model_dump(mode="json"), ""
    if (folder / PLAN).is_file():
        stored = StepPlan.model_validate(read_json(folder / PLAN))
        anew = why_anew(stored, data, settings)
        if not anew:
            return stored
    mean_weight = sum(i.weight * len(i.top.ids) for i in items) / sum(len(i.top.ids) for i in items)
    lengths = [len(item.tokens) for item in items]
    an_epoch = epoch_batches(lengths, recipe.batch_tokens, recipe.seed, 0)
    began = time.monotonic()
    per_token = _seconds_per_token(parent, items, an_epoch, recipe, mean_weight)
    step_seconds = per_token * sum(lengths) / len(an_epoch)
    left = seconds - (time.monotonic() - began)
    most = max(1, int(recipe.max_epochs * len(an_epoch)))
    steps = int(min(max(recipe.min_steps, left / step_seconds), most))
    plan = StepPlan(
        steps=steps, most=most, step_seconds=step_seconds, mean_weight=mean_weight, data=data, recipe=settings,
        anew=anew,
    )  # fmt: skip
    write_json(folder / PLAN, plan.model_dump(mode="json"))
    return plan


def _seconds_per_token(
    parent: Path, items: Sequence[Scored], batches: list[list[int]], recipe: Recipe, mean_weight: float
) -> float:
    trial = Learner(parent, recipe, CALIBRATION_STEPS, mean_weight)
    spent, tokens = 0.0, 0
    for index in range(CALIBRATION_STEPS):
        batch = [items[i] for i in batches[index % len(batches)]]
        began = time.monotonic()
        trial.step(batch)
        if index > 0:
            spent, tokens = spent + time.monotonic() - began, tokens + sum(len(i.tokens) for i in batch)
    return spent / tokens
