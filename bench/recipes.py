"""Recipes that `understudy bench rounds` sets beside the default one, and a round of minutes instead of steps."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from online_distill.role.config import TrainerConfig
from online_distill.train.pace import Pace

LIGHT: dict[str, Any] = {"replay_weight": 1.0, "hold": 0.0, "clip_norm": 1.0}
"""Replay counts a third of what hard rows count, and its states are free."""
RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "first": {
        **LIGHT, "learning_rate": 2e-3, "blend": 0.7, "replay_share": 0.0, "max_replay": 277,
        "replay_targets": "teacher",
    },
    "light": LIGHT,
    "light + teacher's replay": {**LIGHT, "replay_targets": "teacher"},
    "light + gentle": {**LIGHT, "learning_rate": 5e-4, "blend": 1.0},
    "pull": {"pull": 5.0},
    "average": {"ema": 0.98},
    "states free": {"hold": 0.0},
    "bold": {"learning_rate": 2e-3},
    "hold 0.6": {"hold": 0.6},
    "hold 1.2": {"hold": 1.2},
    "replay 0.67": {"replay_share": 0.67},
    "LoRA 16": {"lora_rank": 16},
    "KL to the parent": {"parent_share": 0.5},
    "replay 0.25": {"replay_share": 0.25},
    "replay 0.75": {"replay_share": 0.75},
    "replay 300": {"max_replay": 300},
    "blend 1.0": {"blend": 1.0},
    "blend 0.5": {"blend": 0.5},
    "blend 0.6": {"blend": 0.6},
    "blend by development rows": {"blends": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]},
    "replay 300 unbalanced": {"max_replay": 300, "replay_balanced": False},
}  # fmt: skip
"""What each changes of section `trainer`; `first` is the recipe of the first loop, under the selection of today."""


class MinutesConfig(TrainerConfig):
    """The trainer's settings for rounds that train for so many minutes of processor time, whatever they do in them.

    Processor time is that of one core, which the trainer's one thread has: other programs on the machine take none of
    it. Whatever a recipe reckons before its first step counts, such as the parent's distribution.
    """

    minutes: float

    def pace(self, seconds: float, token_seconds: float | None = None) -> Pace:
        """`minutes` in place of `seconds`, on the processor's clock."""
        return replace(super().pace(60 * self.minutes, token_seconds), clock=time.process_time)
