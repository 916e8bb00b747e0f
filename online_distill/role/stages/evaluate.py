"""Held-out rows -> the evaluation that the gate reads."""

from __future__ import annotations

from deploy.rounds.lost import LOST, write_lost
from online_distill import models
from online_distill.data.rows import read_rows
from online_distill.evaluate.judging import judge
from online_distill.role.context import Context, StageOutcome
from online_distill.role.stages.export import MODEL
from understudy.files import write_json

EVALUATION = "evaluation.json"


def evaluate_stage(context: Context) -> StageOutcome:
    """Held-out rows -> evaluation.json, which the gate reads, and examples of what was lost."""
    rows = read_rows(context.folder("select") / "holdout.jsonl", context.vault)
    parent = context.registry.path(context.round.parent)
    candidate, device = context.folder("export") / MODEL, models.pick_device(context.config.device)
    found, lost = judge(
        rows, parent, candidate, max_length=context.config.max_length, device=device, vault=context.vault
    )
    write_lost(context.folder("evaluate") / LOST, lost, context.vault)
    write_json(context.folder("evaluate") / EVALUATION, found.model_dump(mode="json"))
    return StageOutcome({"candidate_finite": found.candidate_finite, **found.summary})
