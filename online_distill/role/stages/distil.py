"""Targets -> trained weights, in the time that scoring left."""

from __future__ import annotations

from online_distill.role.context import Context, StageOutcome
from online_distill.role.history import training_pace
from online_distill.teacher.targets import load_all
from online_distill.train.distil import Diverged, distil

RESERVED_SHARE = 0.1
"""Of the budget, for evaluate."""
LEAST_TRAINING_SHARE = 0.2
"""Of the budget, whatever scoring took."""


def training_seconds(budget: float, scored: float) -> float:
    """Seconds of a round's budget that are left to training after `scored` seconds of scoring."""
    return max(budget * (1 - RESERVED_SHARE) - scored, budget * LEAST_TRAINING_SHARE)


def distil_stage(context: Context) -> StageOutcome:
    """Targets -> a trained checkpoint. The parent is verified before its weights are read."""
    config, parent = context.config, context.round.parent
    context.registry.verify(parent)
    items = load_all(context.folder("score"), context.vault)
    scored = context.summary("score")
    took = float(scored.get("score_seconds", 0.0)) + float(scored.get("known_seconds", 0.0))
    seconds = training_seconds(config.budget_seconds, took)
    before = [found for found in context.rounds.all() if found.id < context.round.id]
    try:
        _, summary = distil(
            context.folder("distil"), context.registry.path(parent), items, config.recipe,
            config.pace(seconds, training_pace(before)), context.progress("distil"),
        )  # fmt: skip
    except Diverged as error:
        return StageOutcome({"error": error.message}, "failed")
    return StageOutcome(summary)
