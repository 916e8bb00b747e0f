"""Recipes that `understudy bench rounds` sets beside the default one: what each changes of section `trainer`."""

from __future__ import annotations

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "first": {
        "learning_rate": 2e-3, "blend": 0.7, "replay_share": 0.0, "max_replay": 277, "replay_targets": "teacher",
    },
    "teacher's replay": {"replay_targets": "teacher"},
    "gentle": {"learning_rate": 5e-4, "blend": 1.0},
    "bold": {"learning_rate": 2e-3},
    "replay 0.25": {"replay_share": 0.25},
    "replay 0.75": {"replay_share": 0.75},
    "replay 300": {"max_replay": 300},
    "pull": {"pull": 5.0},
    "average": {"ema": 0.98},
    "blend 0.7": {"blend": 0.7},
    "blend 0.5": {"blend": 0.5},
}  # fmt: skip
"""`first` is the recipe of the first loop, under the selection of today."""
