"""One student under training: its weights, optimiser and step, and what a checkpoint holds of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from online_distill import models
from online_distill.losses.buckets import teacher_buckets
from online_distill.losses.coarse import coarse_loss
from online_distill.losses.usable import faults
from online_distill.teacher.targets import Scored
from online_distill.train.order import counted, is_replay, mean_weight
from online_distill.train.parent import with_parent
from online_distill.train.recipe import Recipe
from online_distill.train.screen import screened
from online_distill.train.weights.average import Average
from online_distill.train.weights.hold import Hold
from online_distill.train.weights.lora import Lora
from online_distill.train.weights.pull import Pull


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step: nats a reply token (unweighted), norm of the gradient, reply tokens, whether it was skipped."""

    loss: float
    norm: float
    tokens: int
    skipped: bool


class Taken(NamedTuple):
    """A step as the trajectory has it; `loss` and `norm` are NaN where it was skipped."""

    step: int
    share: float
    """Of the schedule, before the step."""
    rate: float
    """Of the peak learning rate."""
    loss: float
    norm: float


def prepared(parent: Path, items: Sequence[Scored], recipe: Recipe) -> tuple[Learner, list[Scored], dict[str, int]]:
    """A learner at the parent's weights, the targets that it can learn from, and what of them was dropped.

    Raises:
        IntegrityError: no target can be learned from.
    """
    kept, dropped = screened(items, models.vocabulary(parent))
    learner = Learner(parent, recipe, mean_weight(kept, recipe))
    return learner, with_parent(kept, learner.model, recipe.parent_share, recipe.batch_tokens), dropped


class Learner:
    """Takes steps; deterministic for the same weights, data and thread count."""

    def __init__(self, folder: Path, recipe: Recipe, mean_weight: float) -> None:
        torch.manual_seed(recipe.seed)
        self.device = models.pick_device(recipe.device)
        self._numbers = models.pick_numbers(self.device)
        self.model = models.load(folder, self.device).train()
        self._recipe, self._mean_weight = recipe, mean_weight
        self._pull, self._average = Pull(self.model, recipe.pull), Average(self.model, recipe.ema)
        self._hold = Hold(self.model, recipe.hold)
        self._lora = Lora(self.model, recipe.lora_rank)
        learned = [p for p in self.model.parameters() if p.requires_grad]
        decayed = [p for p in learned if p.ndim > 1]
        plain = [p for p in learned if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0},
        ]  # fmt: skip
        self._optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
        self.done = 0
        self.chain = hashlib.sha256(b"trajectory").hexdigest()
        self.trajectory: list[Taken] = []
        self.losses: list[float] = []
        """Those of the trajectory."""
        self.tokens = 0
        self.skipped = 0

    def loss(self, items: Sequence[Scored]) -> tuple[Tensor, float, int]:
        """(loss to differentiate, unweighted nats a token, reply tokens) of one batch.

        Each row of the sum has its sample's weight, once, replay the recipe's as well; the divisor is the number of
        tokens times the mean weight of the whole set, so a weight of 3 counts three times one of 1 in every batch.
        Rows that cannot be learned from (see `faults`) count nowhere. To it comes how far replay's hidden states
        have strayed (see `Hold`).
        """
        entries = self.model.config.vocab_size
        ids = torch.cat([torch.from_numpy(item.top.ids) for item in items]).to(self.device, torch.int64)
        top = torch.cat([torch.from_numpy(item.top.logprobs) for item in items]).to(self.device)
        counts = [torch.full((len(item.top.ids),), counted(item, self._recipe)) for item in items]
        weights = torch.cat(counts).to(self.device)
        sound = faults(ids, top, entries) == 0
        count = int(sound.sum())
        hidden, strayed = self._hidden(items)
        if count < len(hidden):
            hidden, ids, top, weights = hidden[sound], ids[sound], top[sound], weights[sound]
        total, rows = coarse_loss(
            hidden, self.model.get_output_embeddings().weight, ids, teacher_buckets(top), weights,
            kind=self._recipe.divergence, temperature=self._recipe.temperature, skew=self._recipe.skew,
            vocabulary=entries, dtype=self._numbers,
        )  # fmt: skip
        loss = total / (max(1, count) * self._mean_weight) + self._recipe.hold * strayed
        return loss, float(rows.sum()) / max(1, count), count

    def _hidden(self, items: Sequence[Scored]) -> tuple[Tensor, Tensor]:
        """Hidden states (reply tokens, d) before each reply token, in the order of the items, and how far replay's
        have strayed from the parent's.

        New rows and replay, of other lengths each, are padded apart where a step is put together from both.
        """
        apart = self._recipe.replay_share or self._recipe.hold
        parts = [list(part) for _, part in groupby(items, is_replay)] if apart else [items]
        states, strayed = zip(*map(self._states, parts), strict=True)
        return torch.cat(states), sum(strayed, torch.zeros((), device=self.device))

    def _states(self, items: Sequence[Scored]) -> tuple[Tensor, Tensor]:
        tokens = models.pad([item.tokens.tolist() for item in items], self.device)
        spans = [(item.start, len(item.tokens)) for item in items]
        at = torch.tensor(models.reply_positions(spans, tokens.shape[1]), device=self.device)
        with self._autocast():
            states = models.layer_states(self.model, tokens)
            strayed = torch.zeros((), device=self.device)
            if self._recipe.hold and is_replay(items[0]):
                strayed = self._hold.strayed(states, tokens, [end for _, end in spans])
        return states[-1].flatten(0, 1)[at], strayed

    def nats(self, items: Sequence[Scored]) -> float:
        """Unweighted nats a reply token under the weights as they are; nothing changes."""
        with torch.no_grad():
            return self.loss(items)[1]

    def _autocast(self) -> AbstractContextManager[Any]:
        narrow = self._numbers != torch.float32
        return torch.autocast(self.device.type, self._numbers, enabled=narrow)  # type: ignore[no-any-return]

    def step(self, items: Sequence[Scored], factor: float, share: float) -> StepReport:
        """One optimiser step at `factor` times the peak rate; a gradient that is not finite changes nothing.

        `share` is that of the schedule, for the record alone.
        """
        rate = self._recipe.learning_rate * factor
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss, nats, tokens = self.loss(items)
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._recipe.clip_norm))
        skipped = not (math.isfinite(norm) and math.isfinite(nats))
        if not skipped:
            self._optimizer.step()
            self._pull.apply(rate)
            self._average.update()
        self._optimizer.zero_grad(set_to_none=True)
        nan = float("nan")
        self._record(Taken(self.done, share, factor, nan if skipped else nats, nan if skipped else norm), tokens)
        return StepReport(nats, norm, tokens, skipped)

    def _record(self, taken: Taken, tokens: int) -> None:
        text = f"{self.chain}|{taken.step}|{taken.rate.hex()}|{taken.loss.hex()}|{taken.norm.hex()}"
        self.chain = hashlib.sha256(text.encode()).hexdigest()
        self.trajectory.append(taken)
        self.losses.append(taken.loss)
        self.done, self.tokens = self.done + 1, self.tokens + tokens
        self.skipped += math.isnan(taken.loss)

    def weights(self) -> dict[str, Tensor]:
        """What the run gives so far: the average where the recipe asks for one, else the weights as they are."""
        return self._average.weights() if self._recipe.ema else self._lora.weights()

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {
            "model": self.model.state_dict(), "optimizer": self._optimizer.state_dict(),
            "average": self._average.state(), "done": self.done, "chain": self.chain,
            "trajectory": [tuple(taken) for taken in self.trajectory], "tokens": self.tokens,
            "skipped": self.skipped, "rng": torch.get_rng_state(),
        }  # fmt: skip

    def load_state(self, state: dict[str, Any]) -> None:
        """Stand where a checkpoint stood."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average.load_state(state["average"])
        self.done, self.chain = state["done"], state["chain"]
        self.trajectory = [Taken(*taken) for taken in state["trajectory"]]
        self.losses = [taken.loss for taken in self.trajectory]
        self.tokens, self.skipped = state["tokens"], state["skipped"]
        torch.set_rng_state(state["rng"].cpu())
