"""The distil stage: a plan of steps that fits the time, then these steps, resumable to the last bit."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from online_distill.progress import Progress, silent
from online_distill.teacher.targets import Scored
from online_distill.train.learner import Learner
from online_distill.train.order import steps_from
from online_distill.train.pace import Pace, revised
from online_distill.train.plan import StepPlan, make_plan
from online_distill.train.recipe import Recipe
from understudy.files import write_atomic

PROGRESS_SECONDS = 0.5
CHECKPOINT = "checkpoint.pt"


def distil(
    folder: Path, parent: Path, items: Sequence[Scored], recipe: Recipe, pace: Pace, progress: Progress = silent
) -> tuple[Learner, dict[str, Any]]:
    """Train the parent's weights on the targets; returns the learner and the stage's summary.

    Goes on from the checkpoint in `folder` where recipe and targets are those of its plan; else begins anew, and
    says why in its progress and, as `anew`, in its summary.

    Raises:
        Diverged: no finite gradients any more.
    """
    plan = make_plan(folder, parent, items, recipe, pace.seconds)
    learner = Learner(parent, recipe, plan.steps, plan.mean_weight)
    resumed = learner.restore(folder / CHECKPOINT, plan.digest())
    if plan.anew and not resumed:
        progress(0, plan.steps, f"begins anew: {plan.anew}")
    keep = partial(learner.save, folder / CHECKPOINT, plan.digest())
    saved = shown = time.monotonic()
    for step, batch in steps_from([len(i.tokens) for i in items], recipe.batch_tokens, recipe.seed, learner.done):
        if step >= learner.steps:
            break
        began = time.monotonic()
        report = learner.step([items[i] for i in batch])
        now = time.monotonic()
        learner.spent += now - began
        if now - shown >= PROGRESS_SECONDS:
            progress(learner.done, learner.steps, f"loss {report.loss:.3f}")
            shown = now
        if now - saved >= pace.checkpoint_seconds:
            if pace.replan:
                learner.steps = revised(
                    step + 1, learner.steps, learner.spent, pace.seconds, recipe.min_steps, plan.most
                )
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


def _summary(plan: StepPlan, learner: Learner, resumed: bool, items: Sequence[Scored]) -> dict[str, Any]:
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
        "anew": plan.anew,
        "train_seconds": round(learner.spent, 3),
        "chain": learner.chain,
        "data": plan.data,
        "plan": plan.digest(),
        "torch": torch.__version__,
    }
