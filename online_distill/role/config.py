"""Configuration of the trainer's role: when a round starts, how long it may take, and whom it gives way to."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from online_distill.data.config import DataConfig
from online_distill.train.pace import Pace
from online_distill.train.recipe import Recipe
from understudy.config import Section


class TrainerConfig(DataConfig, Recipe, Section):
    """Section `trainer`, one flat mapping: the role's own keys, those of the data and those of the recipe."""

    budget_seconds: float = Field(default=150.0, gt=0)
    """Of one round, for score, distil and evaluate together."""
    score_share: float = Field(default=0.35, gt=0, lt=1)
    """Largest share of the budget that scoring may take."""
    min_fresh: int = Field(default=120, ge=1)
    """Hard samples since the last round that start one."""
    min_train: int = Field(default=16, ge=1)
    """A round with fewer training samples than this is rejected."""
    scorer: Literal["engine", "local"] = "engine"
    """Who scores: the teacher's engine, or its weights inside the trainer (open teachers only)."""
    score_batch: int = Field(default=2, ge=1, le=64)
    """Texts in one request; requests go one at a time."""
    cache_mb: int = Field(default=256, ge=0)
    """Megabytes of targets that are kept from round to round; 0 keeps none."""
    busy_running: int = Field(default=2, ge=0)
    """The trainer waits while more requests than this run or wait in the teacher's engine..."""
    wait_share: float = Field(default=0.5, ge=0, lt=1)
    """...but for no more than this share of the scoring time."""
    nice: int = Field(default=10, ge=0, le=19)
    """How far the trainer yields the CPU to serving."""
    replan: bool = True
    """Fit the plan to the pace seen at each checkpoint; without it the first one stands."""
    checkpoint_seconds: float = Field(default=10.0, gt=0)
    """Between two checkpoints from which a round goes on."""
    poll_seconds: float = Field(default=2.0, gt=0)
    """Between two looks for a reason to begin a round."""

    @property
    def recipe(self) -> Recipe:
        """The recipe alone, without the keys of role and data."""
        return Recipe(**self.model_dump(include=set(Recipe.model_fields)))

    def pace(self, seconds: float, token_seconds: float | None = None) -> Pace:
        """How a training run of `seconds` is timed; `token_seconds` is the pace of the last one, if there was one."""
        return Pace(
            seconds=seconds, token_seconds=token_seconds, checkpoint_seconds=self.checkpoint_seconds,
            replan=self.replan,
        )  # fmt: skip

    def lineage(self) -> dict[str, Any]:
        """What a manifest says of the settings: every key that has a part in the weights."""
        return self.model_dump(mode="json", include={*DataConfig.model_fields, *Recipe.model_fields})
