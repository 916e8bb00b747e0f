"""The distil stage: steps until the time is used, resumable to the last bit, and back from where it led nowhere.

A run that is lost (see `verdict`) goes back to its last good checkpoint and on at half the rate; after
`MOST_RETREATS` of these it fails. Where it went back stands in the trajectory, whose steps are those that made the
weights and no others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

from online_distill.libraries import libraries
from online_distill.progress import Progress, silent
from online_distill.teacher.targets import Scored
from online_distill.train.checkpoint import CHECKPOINT, read_checkpoint, weights_digest, write_checkpoint
from online_distill.train.learner import Learner, prepared
from online_distill.train.order import epoch_tokens, steps_of
from online_distill.train.pace import Pace
from online_distill.train.plan import RunPlan, make_plan
from online_distill.train.rate import rate
from online_distill.train.recipe import Recipe
from online_distill.train.schedule import Bounds, Schedule
from online_distill.train.trajectory import TRAJECTORY, Retreat, write_trajectory
from online_distill.train.watch import WINDOW, verdict
from understudy.errors import UnderstudyError

PROGRESS_SECONDS = 0.5
MOST_RETREATS = 2
RETREAT_RATE = 0.5
"""Of the rate so far, after each retreat."""


class Diverged(UnderstudyError):
    """Training leads nowhere, at a quarter of the rate either; its weights are not used."""

    code = "training_diverged"


def distil(
    folder: Path, parent: Path, items: Sequence[Scored], recipe: Recipe, pace: Pace, progress: Progress = silent
) -> tuple[Learner, dict[str, Any]]:
    """Train the parent's weights on the targets; returns the learner and the stage's summary.

    Goes on from the checkpoint in `folder` where recipe and targets are those of its plan; else begins anew, and
    says why in its progress and, as `anew`, in its summary.

    Raises:
        Diverged: no finite gradients, or a loss that only grows.
        IntegrityError: no target can be learned from.
    """
    run = Run(folder, parent, items, recipe, pace, progress)
    run.go()
    return run.learner, run.summary()


def bounds(recipe: Recipe, seconds: float, epoch: float, step: float) -> Bounds:
    """What a run may take, with so many tokens in an epoch and in a step; fixed steps stand above `max_epochs`."""
    if recipe.max_steps is None:
        most = recipe.max_epochs * epoch
    elif recipe.max_steps <= recipe.min_steps:
        most = recipe.max_steps * step
    else:
        most = min(recipe.max_epochs * epoch, recipe.max_steps * step)
    return Bounds(seconds=seconds, least=min(recipe.min_steps * step, most), most=most)


class Run:
    """One run: learner, schedule and what keeps both."""

    def __init__(
        self, folder: Path, parent: Path, items: Sequence[Scored], recipe: Recipe, pace: Pace, progress: Progress
    ) -> None:
        self._folder, self._recipe, self._pace, self._progress = folder, recipe, pace, progress
        self._at = self._shown = pace.clock()
        self._plan: RunPlan = make_plan(folder, items, recipe)
        self.learner, self._items, self._dropped = prepared(parent, items, recipe)
        epoch, self._step_tokens = epoch_tokens(self._items, recipe)
        self._schedule = Schedule(bounds(recipe, pace.seconds, epoch, self._step_tokens))
        self._retreats: list[Retreat] = []
        self._parent_loss = 0.0
        self._resumed = self._restore()
        if not self._resumed:
            self._begin()
        self._schedule.prepare(self._lap())
        if not self._resumed:
            if pace.token_seconds is not None or self._schedule.bounds.fixed:
                self._schedule.plan(0, pace.token_seconds or 0.0)
            self._keep()
        self._saved = self._schedule.spent

    def _begin(self) -> None:
        if self._plan.anew:
            self._progress(0, 1, f"begins anew: {self._plan.anew}")
        first = islice(steps_of(self._items, self._recipe), WINDOW)
        self._parent_loss = fmean(self.learner.nats([self._items[i] for i in batch]) for _, batch in first)

    def go(self) -> None:
        """Take the steps that are left, and write down what was done."""
        while not self._schedule.over:
            try:
                self._walk()
            finally:
                self._write()
        self._keep()
        self._progress(self.learner.done, self.learner.done, "")

    def _walk(self) -> None:
        """Step until the run is over or has gone back."""
        learner, schedule = self.learner, self._schedule
        slower = RETREAT_RATE ** len(self._retreats)
        for step, batch in steps_of(self._items, self._recipe, learner.done):
            if schedule.over:
                return
            items = [self._items[i] for i in batch]
            factor = slower * rate(step, schedule.share, self._recipe.warmup_steps)
            report = learner.step(items, factor, schedule.share)
            schedule.advance(step, sum(len(item.tokens) for item in items), self._lap())
            judged = verdict(learner.losses, self._parent_loss)
            if judged == "lost":
                return self._go_back()
            self._show(report.loss)
            if judged == "well" and schedule.spent - self._saved >= self._pace.checkpoint_seconds:
                if self._pace.replan:
                    schedule.plan(learner.done)
                self._keep()

    def _go_back(self) -> None:
        """Take up the last good checkpoint at half the rate.

        Raises:
            Diverged: that was done often enough.
        """
        at = self.learner.done
        if len(self._retreats) >= MOST_RETREATS:
            raise Diverged(
                f"training was lost {MOST_RETREATS + 1} times, last at step {at} and "
                f"{RETREAT_RATE**MOST_RETREATS:g} of the rate: {self._symptom()}; lower trainer.learning_rate or look "
                "at the round's samples"
            )
        state = read_checkpoint(self._folder / CHECKPOINT, self._plan.digest(), self.learner.device)
        if state is None:
            raise Diverged(f"training was lost at step {at}, and there is no checkpoint to go back to")
        self.learner.load_state(state["learner"])
        self._schedule.go_back(state["schedule"], self.learner.done)
        share = RETREAT_RATE ** (len(self._retreats) + 1)
        self._retreats.append(Retreat(at=at, to=self.learner.done, rate=share))
        self._keep()
        self._progress(self.learner.done, self._steps(), f"lost at step {at}: back, at {share:g} of the rate")

    def _symptom(self) -> str:
        last = self.learner.losses[-1]
        return "gradients are no numbers" if math.isnan(last) else f"a loss of {last:.2f} nats a token"

    def _lap(self) -> float:
        """Seconds since the last look: all of it is training, what checkpoints take as well."""
        before, self._at = self._at, self._pace.clock()
        return self._at - before

    def _steps(self) -> int:
        """Steps of the whole run, as planned last; before the first plan by the pace so far."""
        schedule, bounds = self._schedule, self._schedule.bounds
        guessed = min(bounds.most, max(bounds.least, bounds.seconds / max(schedule.pace, 1e-9)))
        left = max(0.0, (schedule.expected or guessed) - schedule.tokens)
        return self.learner.done + round(left / self._step_tokens)

    def _show(self, loss: float) -> None:
        if self._at - self._shown >= PROGRESS_SECONDS:
            self._progress(self.learner.done, self._steps(), f"loss {loss:.3f}")
            self._shown = self._at

    def _keep(self) -> None:
        state = {
            "learner": self.learner.state(), "schedule": self._schedule.state(),
            "retreats": [one.model_dump() for one in self._retreats], "parent_loss": self._parent_loss,
        }  # fmt: skip
        write_checkpoint(self._folder / CHECKPOINT, self._plan.digest(), state)
        self._saved = self._schedule.spent

    def _restore(self) -> bool:
        """Go on from the checkpoint; False when there is none of this plan with a step in it."""
        state = read_checkpoint(self._folder / CHECKPOINT, self._plan.digest(), self.learner.device)
        if state is None or not (state["learner"]["done"] or state["retreats"]):
            return False
        self.learner.load_state(state["learner"])
        self._schedule.load_state(state["schedule"])
        self._retreats = [Retreat(**one) for one in state["retreats"]]
        self._parent_loss = state["parent_loss"]
        return True

    def _write(self) -> None:
        write_trajectory(self._folder / TRAJECTORY, self.learner, self._schedule, self._retreats)

    def summary(self) -> dict[str, Any]:
        """What the stage says when it is done."""
        learner, schedule = self.learner, self._schedule
        losses = [loss for loss in learner.losses if math.isfinite(loss)]
        tail = max(1, len(losses) // 10)
        first = schedule.plans[0][1] if schedule.plans else schedule.tokens
        return {
            "steps": learner.done,
            "steps_planned": round(first / self._step_tokens),
            "plans": len(schedule.plans),
            "texts": len(self._items),
            "dropped": self._dropped,
            "reply_tokens": learner.tokens,
            "token_seconds": schedule.pace,
            "loss_parent": self._parent_loss,
            "loss_first": sum(losses[:tail]) / tail,
            "loss_last": sum(losses[-tail:]) / tail,
            "skipped_steps": learner.skipped,
            "retreats": [one.model_dump() for one in self._retreats],
            "resumed": self._resumed,
            "anew": self._plan.anew,
            "train_seconds": round(schedule.spent, 3),
            "chain": learner.chain,
            "weights": weights_digest(learner.weights()),
            "data": self._plan.data,
            "plan": self._plan.digest(),
            "libraries": libraries(learner.device),
        }
