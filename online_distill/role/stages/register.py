"""Model folder -> a signed version that says what it was made of."""

from __future__ import annotations

from typing import Any

from online_distill.data.rows import read_rows
from online_distill.role.context import Context, StageOutcome
from online_distill.role.stages.evaluate import EVALUATION
from online_distill.role.stages.export import MODEL
from understudy.files import read_json


def register_stage(context: Context) -> StageOutcome:
    """Model folder -> a signed version. Weights that are no numbers are rejected here already."""
    evaluated = read_json(context.folder("evaluate") / EVALUATION)
    if not evaluated["candidate_finite"]:
        return StageOutcome({"error": "the candidate has weights that are no numbers"}, "rejected")
    this = context.round
    rows = read_rows(context.folder("select") / "train.jsonl", context.vault)
    manifest = context.registry.register(
        context.folder("export") / MODEL,
        kind="student",
        parent=this.parent,
        teacher=this.teacher,
        round=this.id,
        lineage={**_lineage(context, [row.exchange for row in rows]), "tenants": sorted({row.tenant for row in rows})},
        metrics=evaluated["summary"],
    )
    return StageOutcome({"version": manifest.version})


def _lineage(context: Context, exchanges: list[str]) -> dict[str, Any]:
    select_summary, trained = context.summary("select"), context.summary("distil")
    return {
        "samples": select_summary["samples"],
        "exchanges": exchanges,
        "targets": trained["data"],
        "plan": trained["plan"],
        "trajectory": trained["chain"],
        "steps": trained["steps"],
        "blend": context.summary("export")["blend"],
        "seed": context.config.seed,
        "recipe": context.config.lineage(),
        "libraries": trained["libraries"],
    }  # fmt: skip
