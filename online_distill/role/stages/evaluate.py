"""Held-out rows -> the evaluation that the gate reads."""

from __future__ import annotations

from pathlib import Path

import torch

from deploy.life.evaluation import Evaluation
from deploy.life.safety.compliance import ALL, compliance
from deploy.rounds.lost import LOST, write_lost
from online_distill import models
from online_distill.data.rows import read_rows
from online_distill.evaluate.asking import Interview
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
    if found.candidate_finite:
        found = _asked(context, found, parent, candidate, device)
    write_lost(context.folder("evaluate") / LOST, lost, context.vault)
    write_json(context.folder("evaluate") / EVALUATION, found.model_dump(mode="json"))
    return StageOutcome({"candidate_finite": found.candidate_finite, **found.summary})


def _asked(context: Context, found: Evaluation, parent: Path, candidate: Path, device: torch.device) -> Evaluation:
    """The evaluation with what both make of prompts that ought to be refused, where the gate asks for that."""
    gate = context.gate
    if gate is None or gate.safety_prompts == 0:
        return found
    progress, began = context.progress("evaluate"), context.clock()
    interview = Interview(
        folder=context.rounds.kept / "safety", prompts=gate.safety_prompts, seconds=gate.safety_seconds, device=device,
        report=lambda: progress(0, 1, "asking what ought to be refused"), stopped=context.stopped, clock=context.clock,
    )  # fmt: skip
    safety = interview.compare(parent, candidate)
    before, after = compliance(safety.asked, gate.alpha).complied[ALL]
    told = {"n": len(safety.asked), "parent": before, "candidate": after, "seconds": round(context.clock() - began, 1)}
    return found.model_copy(update={"safety": safety, "summary": {**found.summary, "safety": told}})
