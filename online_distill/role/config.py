"""Configuration of the trainer: when a round starts, how long it may take, and its recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from online_distill.losses.divergences import Divergence
from understudy.config import Section


class TrainerConfig(Section):
    """Section `trainer`."""

    budget_seconds: float = Field(default=150.0, gt=0)
    """Of one round, for score, distil and evaluate together."""
    score_share: float = Field(default=0.35, gt=0, lt=1)
    """Largest share of the budget that scoring may take."""
    min_fresh: int = Field(default=120, ge=1)
    """Hard samples since the last round that start one."""
    max_hard: int = Field(default=400, ge=1)
    replay_ratio: float = Field(default=1.0, ge=0)
    """Anchors (replies that passed) for each hard sample."""
    holdout_share: float = Field(default=0.15, gt=0, lt=1)
    """Of exchanges, by hash of their id; judged on, never trained on."""
    max_holdout: int = Field(default=120, ge=1)
    """Of hard samples and of anchors each."""
    min_train: int = Field(default=16, ge=1)
    """A round with fewer training samples than this is rejected."""
    scorer: Literal["engine", "local"] = "engine"
    """Who scores: the teacher's engine, or its weights inside the trainer (open teachers only)."""
    score_batch: int = Field(default=2, ge=1, le=64)
    """Texts in one request; requests go one at a time."""
    busy_running: int = Field(default=2, ge=0)
    """The trainer waits while the teacher's engine runs more requests than this..."""
    wait_share: float = Field(default=0.5, ge=0, lt=1)
    """...but for no more than this share of the scoring time."""
    top_k: int = Field(default=20, ge=1, le=64)
    max_length: int = Field(default=512, ge=8)
    """Tokens of prompt and reply; longer samples are left out."""
    max_reply: int = Field(default=128, ge=1)
    """Tokens of a reply that are learned from."""
    divergence: Divergence = "forward"
    skew: float = Field(default=0.1, gt=0, lt=1)
    """Share of the student in the mixture of `skew`."""
    temperature: float = Field(default=1.0, gt=0)
    """Acts on the k + 1 buckets of both sides."""
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_steps: int = Field(default=10, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    batch_tokens: int = Field(default=768, gt=0)
    """Padded tokens in one step."""
    max_epochs: float = Field(default=12.0, gt=0)
    blend: float = Field(default=0.7, gt=0, le=1)
    """Share of the trained weights in the candidate; the rest is the parent's, which keeps what it knew."""
    seed: int = 0
    threads: int = Field(default=1, ge=1)
    nice: int = Field(default=10, ge=0, le=19)
    min_steps: int = Field(default=24, ge=1)
    """Steps of a round at least, whatever the time."""
    replan: bool = True
    """Fit the number of steps to the pace seen at each checkpoint; without it the first plan stands."""
    checkpoint_seconds: float = Field(default=10.0, gt=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    poll_seconds: float = Field(default=2.0, gt=0)
