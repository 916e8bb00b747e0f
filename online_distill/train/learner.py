"""One student under training: its weights, optimiser and step, and what a checkpoint of it holds."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from online_distill import models
from online_distill.losses.buckets import teacher_buckets
from online_distill.losses.coarse import coarse_loss
from online_distill.teacher.targets import Scored
from online_distill.train.recipe import Recipe
from understudy.errors import UnderstudyError
from understudy.files import sync_folder

PATIENCE = 8
"""Steps in succession without a finite gradient, after which training is given up."""
FLOOR = 0.05
"""Of the learning rate, at the end of the schedule."""


class Diverged(UnderstudyError):
    """Training yields no finite gradients any more; its weights are not used."""

    code = "training_diverged"


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step: nats a reply token (unweighted), norm of the gradient, reply tokens, whether it was skipped."""

    loss: float
    norm: float
    tokens: int
    skipped: bool


def rate(step: int, steps: int, warmup: int) -> float:
    """Factor of the learning rate: linear warm-up, then a cosine down to `FLOOR`."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1, steps - warmup)
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


class Learner:
    """Takes steps; deterministic for the same weights, data and thread count."""

    def __init__(self, folder: Path, recipe: Recipe, steps: int, mean_weight: float) -> None:
        torch.manual_seed(recipe.seed)
        self.device = models.pick_device(recipe.device)
        self.model = models.load(folder, self.device).train()
        self._recipe, self._mean_weight = recipe, mean_weight
        self.steps = steps
        self.spent = 0.0
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0},
        ]  # fmt: skip
        self._optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
        self.done = 0
        self.chain = hashlib.sha256(b"trajectory").hexdigest()
        self.trajectory: list[tuple[int, int, float, float]] = []
        """(step, steps planned then, nats a token, norm) of each step taken."""
        self.tokens = 0
        self.skipped = 0
        self._in_succession = 0

    def loss(self, items: Sequence[Scored]) -> tuple[Tensor, float, int]:
        """(loss to differentiate, unweighted nats a token, reply tokens) of one batch.

        Each row of the sum has its sample's weight, once; the divisor is the number of tokens times the mean
        weight of the whole set, so a weight of 3 counts three times one of 1 in every batch.
        """
        tokens = models.pad([item.tokens.tolist() for item in items], self.device)
        spans = [(item.start, len(item.tokens)) for item in items]
        at = torch.tensor(models.reply_positions(spans, tokens.shape[1]), device=self.device)
        ids = torch.cat([torch.from_numpy(item.top.ids) for item in items]).to(self.device, torch.int64)
        top = torch.cat([torch.from_numpy(item.top.logprobs) for item in items]).to(self.device)
        weights = torch.cat([torch.full((len(item.top.ids),), item.weight) for item in items]).to(self.device)
        with self._autocast():
            hidden = models.hidden_states(self.model, tokens).flatten(0, 1)[at]
        total, rows = coarse_loss(
            hidden, self.model.get_output_embeddings().weight, ids, teacher_buckets(top), weights,
            kind=self._recipe.divergence, temperature=self._recipe.temperature, skew=self._recipe.skew,
            vocabulary=self.model.config.vocab_size, dtype=torch.bfloat16,
        )  # fmt: skip
        return total / (len(at) * self._mean_weight), float(rows.mean()), len(at)

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16)  # type: ignore[no-any-return]

    def step(self, items: Sequence[Scored]) -> StepReport:
        """One optimiser step; a gradient that is not finite changes nothing.

        Raises:
            Diverged: too many of those in succession.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.learning_rate * rate(self.done, self.steps, self._recipe.warmup_steps)
        loss, nats, tokens = self.loss(items)
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._recipe.clip_norm))
        skipped = not (math.isfinite(norm) and math.isfinite(nats))
        if not skipped:
            self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._record(nats, norm, tokens, skipped)
        return StepReport(nats, norm, tokens, skipped)

    def _record(self, nats: float, norm: float, tokens: int, skipped: bool) -> None:
        text = f"{self.chain}|{self.done}/{self.steps}|{nats.hex()}|{norm.hex()}"
        self.chain = hashlib.sha256(text.encode()).hexdigest()
        self.trajectory.append((self.done, self.steps, nats, norm))
        self.done, self.tokens = self.done + 1, self.tokens + tokens
        self.skipped += skipped
        self._in_succession = self._in_succession + 1 if skipped else 0
        if self._in_succession >= PATIENCE:
            raise Diverged(
                f"{PATIENCE} steps in succession had no finite gradient (step {self.done}); lower "
                "trainer.learning_rate or look at the round's samples"
            )

    def save(self, path: Path, plan: str) -> None:
        """Write a checkpoint for the plan with that digest, whole or not at all."""
        state = {
            "plan": plan, "model": self.model.state_dict(), "optimizer": self._optimizer.state_dict(),
            "done": self.done, "chain": self.chain, "trajectory": self.trajectory, "tokens": self.tokens,
            "skipped": self.skipped, "steps": self.steps, "spent": self.spent,
            "in_succession": self._in_succession, "rng": torch.get_rng_state(),
        }  # fmt: skip
        draft = path.with_suffix(".draft")
        with draft.open("wb") as file:
            torch.save(state, file)
            file.flush()
            # The bytes must be there before the name is: a checkpoint is all that a killed round has.
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)

    def restore(self, path: Path, plan: str) -> bool:
        """Go on from a checkpoint; False when there is none of this plan."""
        if not path.is_file():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["plan"] != plan:
            return False
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.done, self.chain, self.trajectory = state["done"], state["chain"], state["trajectory"]
        self.tokens, self.skipped = state["tokens"], state["skipped"]
        self.steps, self.spent = state["steps"], state["spent"]
        self._in_succession = state["in_succession"]
        torch.set_rng_state(state["rng"].cpu())
        return True
