"""The recipe: what turns a parent and its targets into a candidate's weights."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from online_distill.losses.kinds import Divergence
from understudy.config import Section


class Recipe(Section):
    """Keys of section `trainer` of which the weights are a function, given the parent and the targets.

    Change one during a round and training begins anew; every other key of the section may change at any time.
    How much time there is, is no part of it: the steps that fit stand in the plan and in the trajectory.
    """

    divergence: Divergence = "forward"
    """Which divergence from the teacher is made small."""
    skew: float = Field(default=0.1, gt=0, lt=1)
    """Share of the student in the mixture of `skew`."""
    temperature: float = Field(default=1.0, gt=0)
    """Acts on the k + 1 buckets of both sides."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Highest learning rate of AdamW."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Of AdamW."""
    warmup_steps: int = Field(default=10, ge=0)
    """Steps in which the learning rate rises."""
    clip_norm: float = Field(default=0.25, gt=0)
    """Longest gradient; a longer one is scaled down."""
    batch_tokens: int = Field(default=768, gt=0)
    """Padded tokens in one step."""
    max_epochs: float = Field(default=12.0, gt=0)
    """Passes over a round's rows at most."""
    min_steps: int = Field(default=24, ge=1)
    """Steps of a round at least, whatever the time."""
    max_steps: int | None = Field(default=None, ge=1)
    """Steps of a round at most; as many as `min_steps`, and the weights do not depend on how fast the machine is."""
    blend: float = Field(default=0.8, gt=0, le=1)
    """Share of the trained weights in the candidate; the rest is the parent's, which keeps what it knew."""
    blends: tuple[float, ...] = ()
    """Shares of which each round takes the one that does best on its development rows, such as [0.5, 0.6, 0.7, 0.8,
    0.9, 1.0]; none: `blend` is taken, as it is where there are too few such rows. `rounds show` says which and why."""
    pull: float = Field(default=0.0, ge=0)
    """Towards the parent's weights: at each step this times the learning rate of the way back; 0: none."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of the average of the weights that becomes the candidate; 0: the last weights do."""
    replay_share: float = Field(default=0.5, ge=0, lt=1)
    """Of the tokens of every step, replay (rows of weight 1); 0: rows come as often as there are of them."""
    replay_weight: float = Field(default=9.0, gt=0)
    """How much a row of replay counts, beside hard rows that count by their own weight, which is 3 as a rule."""
    hold: float = Field(default=2.0, ge=0)
    """How much replay's hidden states are held to the parent's, at each layer and token; 0: not at all.

    Needs a copy of the parent beside the student, and another pass of replay through it at each step.
    """
    lora_rank: int = Field(default=0, ge=0)
    """Of matrices added to the linear layers, which then learn alone (LoRA); 0: all weights learn. Needs peft (extra
    `import`), and goes with neither `pull` nor `ema`."""
    parent_share: float = Field(default=0.0, ge=0, lt=1)
    """Of the targets of replay, the parent's own distribution: a KL to the parent; 0: the teacher's alone."""
    seed: int = 0
    """Of order and initialisation."""
    threads: int = Field(default=1, ge=1)
    """Of the CPU: another number adds up in another order."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where a round trains; auto: a GPU where there is one. In bfloat16 where that is quick there, else in float32."""

    @field_validator("blends")
    @classmethod
    def _shares_in_order(cls, blends: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share <= 1 for share in blends) or len(set(blends)) < len(blends):
            raise ValueError("give different numbers above 0 and at most 1")
        return tuple(sorted(blends))

    @model_validator(mode="after")
    def _one_hold_on_weights(self) -> Self:
        if self.lora_rank and (self.pull or self.ema):
            raise ValueError("lora_rank goes with neither pull nor ema: set those to 0, or lora_rank")
        return self
