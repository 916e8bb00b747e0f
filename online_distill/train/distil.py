"""The distil stage: a plan of steps that fits the time, then these steps, resumable to the last bit."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict

from online_distill.role.config import TrainerConfig
from online_distill.teacher.targets import Scored
from online_distill.train.learner import Learner
from online_distill.train.order import epoch_batches, steps_from
from understudy.files import read_json, write_atomic, write_json

CALIBRATION_STEPS = 4
"""Steps on a copy that is thrown away, the first of which is not timed."""
PROGRESS_SECONDS = 0.5
CHECKPOINT = "checkpoint.pt"
PLAN = "plan.json"

Progress = Callable[[float, float, str], None]
"""(done, total, note)."""


class Plan(BaseModel):
    """What a run is a function of, beside the parent's weights and the targets; fixed before its first step.

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

    def digest(self) -> str:
        """SHA-256 of the plan in hex."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()


def data_digest(items: Sequence[Scored]) -> str:
    """SHA-256 over every token, weight and target, in order."""
    sha = hashlib.sha256()
    for item in items:
        sha.update(f"{item.key}|{item.start}|{item.weight}|".encode())
        for part in (item.tokens, item.top.ids, item.top.logprobs):
            sha.update(part.tobytes())
    return sha.hexdigest()


def make_plan(folder: Path, parent: Path, items: Sequence[Scored], config: TrainerConfig, seconds: float) -> Plan:
    """The stored plan of `folder`, else a new one for `seconds` of training, by timing a few steps."""
    data = data_digest(items)
    recipe = config.model_dump(mode="json")
    if (folder / PLAN).is_file():
        stored = Plan.model_validate(read_json(folder / PLAN))
        if stored.data == data and stored.recipe == recipe:
            return stored
    mean_weight = sum(i.weight * len(i.top.ids) for i in items) / sum(len(i.top.ids) for i in items)
    lengths = [len(item.tokens) for item in items]
    an_epoch = epoch_batches(lengths, config.batch_tokens, config.seed, 0)
    began = time.monotonic()
    per_token = _seconds_per_token(parent, items, an_epoch, config, mean_weight)
    step_seconds = per_token * sum(lengths) / len(an_epoch)
    left = seconds - (time.monotonic() - began)
    most = max(1, int(config.max_epochs * len(an_epoch)))
    steps = int(min(max(config.min_steps, left / step_seconds), most))
    plan = Plan(steps=steps, most=most, step_seconds=step_seconds, mean_weight=mean_weight, data=data, recipe=recipe)
    write_json(folder / PLAN, plan.model_dump(mode="json"))
    return plan


def _seconds_per_token(
    parent: Path, items: Sequence[Scored], batches: list[list[int]], config: TrainerConfig, mean_weight: float
) -> float:
    trial = Learner(parent, config, CALIBRATION_STEPS, mean_weight)
    spent, tokens = 0.0, 0
    for index in range(CALIBRATION_STEPS):
        batch = [items[i] for i in batches[index % len(batches)]]
        began = time.monotonic()
        trial.step(batch)
        if index > 0:
            spent, tokens = spent + time.monotonic() - began, tokens + sum(len(i.tokens) for i in batch)
    return spent / tokens


def revised(done: int, steps: int, spent: float, seconds: float, least: int, most: int) -> int:
    """Steps of the whole run, by the pace of the `done` ones, so that it ends after `seconds`.

    A difference below a tenth of what is left changes nothing. Never below `least` or above `most`.
    """
    wanted = int(min(max(seconds / max(spent / max(1, done), 1e-9), least, done + 1), most))
    return wanted if abs(wanted - steps) * 10 > steps - done else steps


def distil(
    folder: Path,
    parent: Path,
    items: Sequence[Scored],
    config: TrainerConfig,
    seconds: float,
    progress: Progress = lambda done, total, note: None,
) -> tuple[Learner, dict[str, Any]]:
    """Train the parent's weights on the targets; returns the learner and the stage's summary.

    Raises:
        Diverged: no finite gradients any more.
    """
    plan = make_plan(folder, parent, items, config, seconds)
    learner = Learner(parent, config, plan.steps, plan.mean_weight)
    resumed = learner.restore(folder / CHECKPOINT, plan.digest())
    keep = partial(learner.save, folder / CHECKPOINT, plan.digest())
    saved = shown = time.monotonic()
    for step, batch in steps_from([len(i.tokens) for i in items], config.batch_tokens, config.seed, learner.done):
        if step >= learner.steps:
            break
        began = time.monotonic()
        report = learner.step([items[i] for i in batch])
        now = time.monotonic()
        learner.spent += now - began
        if now - shown >= PROGRESS_SECONDS:
            progress(learner.done, learner.steps, f"loss {report.loss:.3f}")
            shown = now
        if now - saved >= config.checkpoint_seconds:
            if config.replan:
                learner.steps = revised(step + 1, learner.steps, learner.spent, seconds, config.min_steps, plan.most)
            keep()
            saved = time.monotonic()
    keep()
    progress(learner.done, learner.done, "")
    _write_trajectory(folder / "trajectory.jsonl", learner)
    return learner, _summary(plan, learner, resumed, items)


def _write_trajectory(path: Path, learner: Learner) -> None:
    names = ("step", "steps", "loss", "norm")
    lines = [json.dumps(dict(zip(names, taken, strict=True))) for taken in learner.trajectory]
    write_atomic(path, "\n".join([*lines, json.dumps({"chain": learner.chain})]) + "\n")


def _summary(plan: Plan, learner: Learner, resumed: bool, items: Sequence[Scored]) -> dict[str, Any]:
    losses = [loss for _, _, loss, _ in learner.trajectory]
    tail = max(1, len(losses) // 10)
    return {
        "steps": learner.done,
        "steps_planned": plan.steps,
        "texts": len(items),
        "reply_tokens": learner.tokens,
        "loss_first": sum(losses[:tail]) / tail,
        "loss_last": sum(losses[-tail:]) / tail,
        "skipped_steps": learner.skipped,
        "resumed": resumed,
        "train_seconds": round(learner.spent, 3),
        "chain": learner.chain,
        "data": plan.data,
        "plan": plan.digest(),
        "torch": torch.__version__,
    }
