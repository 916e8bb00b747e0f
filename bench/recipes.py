"""Recipes that `understudy bench rounds` sets beside the default one: what each changes of section `trainer`."""

from __future__ import annotations

from typing import Any

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
    "blend 0.6": {"blend": 0.6},
}  # fmt: skip
"""`first` is the recipe of the first loop, under the selection of today."""
