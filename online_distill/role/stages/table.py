"""The stages: select, score, distil, export, evaluate, register."""

from __future__ import annotations

import platform
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import torch
import transformers

from deploy.engines.fingerprint import FINGERPRINT_FILE
from online_distill import models
from online_distill.data.encoding import Encoder, read_rows, write_rows
from online_distill.data.selecting import lineage_digest, select
from online_distill.evaluate.fingerprint import record
from online_distill.evaluate.judging import judge
from online_distill.role.context import Context, Outcome
from online_distill.teacher.scoring import Scoring, texts_of
from online_distill.teacher.targets import load_all
from online_distill.train.distil import distil
from online_distill.train.learner import Diverged
from understudy.files import is_ready, mark_ready, read_json, write_json

POOL_FACTOR = 3
"""Times as many pool samples are looked at as are trained on, since some are held out or are doubles."""
RESERVED_SHARE = 0.1
"""Of the budget, for evaluate."""
LEAST_TRAINING_SHARE = 0.2
"""Of the budget, whatever scoring took."""
MODEL = "model"


def select_stage(context: Context) -> Outcome:
    """Pool -> train.jsonl and holdout.jsonl."""
    folder, config = context.folder("select"), context.config
    position = context.source.position()
    hard = context.source.hard(config.max_hard * POOL_FACTOR)
    anchors = context.source.anchors(int(config.max_hard * POOL_FACTOR * max(1.0, config.replay_ratio)))
    chosen = select(hard, anchors, config)
    write_rows(folder / "train.jsonl", chosen.train)
    write_rows(folder / "holdout.jsonl", chosen.holdout)
    counts = Counter(f"train_{row.role}" for row in chosen.train)
    counts.update(f"holdout_{row.role}" for row in chosen.holdout)
    summary: dict[str, Any] = {
        "position": position,
        **counts,
        "languages": dict(Counter(row.lang for row in chosen.train)),
        "kinds": dict(Counter(row.kind for row in chosen.train if row.role == "hard")),
        "samples": lineage_digest(chosen.train),
    }
    if len(chosen.train) < config.min_train:
        summary["error"] = f"{len(chosen.train)} samples to train on, {config.min_train} are needed; send more traffic"
        return Outcome(summary, "failed")
    return Outcome(summary)


def score_stage(context: Context) -> Outcome:
    """train.jsonl -> shards of targets."""
    config = context.config
    rows = read_rows(context.folder("select") / "train.jsonl")
    texts = texts_of(rows, Encoder(context.registry.path(context.round.parent)), config)
    seconds = config.budget_seconds * config.score_share
    with closing(context.make_scorer(context.round)) as scorer:
        scoring = Scoring(
            context.folder("score"),
            scorer,
            seconds,
            batch=config.score_batch,
            least=config.min_train,
            clock=context.clock,
        )
        summary = scoring.run(texts, context.progress("score"))
    if summary["texts"] == 0:
        return Outcome({**summary, "error": "no text fits trainer.max_length or the teacher refused all"}, "failed")
    return Outcome(summary)


def distil_stage(context: Context) -> Outcome:
    """Targets -> a trained checkpoint. The parent is verified before its weights are read."""
    config, parent = context.config, context.round.parent
    context.registry.verify(parent)
    items = load_all(context.folder("score"))
    spent = float(context.summary("score").get("score_seconds", 0.0))
    seconds = max(config.budget_seconds * (1 - RESERVED_SHARE) - spent, config.budget_seconds * LEAST_TRAINING_SHARE)
    try:
        _, summary = distil(
            context.folder("distil"), context.registry.path(parent), items, config.recipe, config.pace(seconds),
            context.progress("distil"),
        )  # fmt: skip
    except Diverged as error:
        return Outcome({"error": error.message}, "failed")
    return Outcome(summary)


def export_stage(context: Context) -> Outcome:
    """Checkpoint -> a model folder with fingerprint, as it will be registered."""
    began = context.clock()
    parent = context.registry.path(context.round.parent)
    folder = context.folder("export") / MODEL
    if not is_ready(context.folder("export") / "weights"):
        shutil.rmtree(folder, ignore_errors=True)
        state = torch.load(context.folder("distil") / "checkpoint.pt", map_location="cpu", weights_only=True)
        model = models.load(parent)
        models.blend(model, state["model"], context.config.blend)
        models.export(model, parent, folder)
        (context.folder("export") / "weights").mkdir(exist_ok=True)
        mark_ready(context.folder("export") / "weights")
    if models.finite(models.load(folder)):
        texts = [item.tokens.tolist() for item in load_all(context.folder("score"))[:48]]
        separation = record(folder, parent, folder / FINGERPRINT_FILE, texts).separation
    else:
        separation = None
    return Outcome({"separation": separation, "export_seconds": round(context.clock() - began, 3)})


def evaluate_stage(context: Context) -> Outcome:
    """Held-out rows -> evaluation.json, which the gate reads."""
    rows = read_rows(context.folder("select") / "holdout.jsonl")
    parent = context.registry.path(context.round.parent)
    candidate, device = context.folder("export") / MODEL, models.pick_device(context.config.device)
    found = judge(rows, parent, candidate, max_length=context.config.max_length, device=device)
    write_json(context.folder("evaluate") / "evaluation.json", found)
    return Outcome({"candidate_finite": found["candidate_finite"], **found["summary"]})


def register_stage(context: Context) -> Outcome:
    """Model folder -> a signed version. Weights that are no numbers are rejected here already."""
    evaluated = read_json(context.folder("evaluate") / "evaluation.json")
    if not evaluated["candidate_finite"]:
        return Outcome({"error": "the candidate has weights that are no numbers"}, "rejected")
    this = context.round
    rows = read_rows(context.folder("select") / "train.jsonl")
    manifest = context.registry.register(
        context.folder("export") / MODEL,
        kind="student",
        parent=this.parent,
        teacher=this.teacher,
        round=this.id,
        lineage=_lineage(context, [row.exchange for row in rows]),
        metrics=evaluated["summary"],
    )
    return Outcome({"version": manifest.version})


def _lineage(context: Context, exchanges: list[str]) -> dict[str, Any]:
    select_summary, trained = context.summary("select"), context.summary("distil")
    return {
        "samples": select_summary["samples"],
        "exchanges": exchanges,
        "targets": trained["data"],
        "plan": trained["plan"],
        "trajectory": trained["chain"],
        "steps": trained["steps"],
        "seed": context.config.seed,
        "recipe": context.config.lineage(),
        "libraries": {
            "python": platform.python_version(), "torch": torch.__version__,
            "transformers": transformers.__version__, "numpy": np.__version__,
        },
    }  # fmt: skip


STAGES: dict[str, Callable[[Context], Outcome]] = {
    "select": select_stage,
    "score": score_stage,
    "distil": distil_stage,
    "export": export_stage,
    "evaluate": evaluate_stage,
    "register": register_stage,
}
"""The stages that the trainer owns, by the names of `deploy.rounds.store`; the controller owns the rest."""
