"""Trained weights -> a model folder with its fingerprint, as it will be registered."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from deploy.engines.fingerprint import FINGERPRINT_FILE
from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.data.rows import read_rows
from online_distill.evaluate.blending import DevelopmentText, choose_blend, compare_blends, development_texts, told
from online_distill.evaluate.fingerprint import mixed_prompts, record
from online_distill.progress import Progress, silent
from online_distill.role.context import Context, StageOutcome
from online_distill.role.stages.select import DEVELOPMENT
from online_distill.teacher.targets import load_all
from online_distill.train.checkpoint import CHECKPOINT, trained_weights
from online_distill.train.recipe import Recipe
from understudy.clock import Clock, monotonic
from understudy.files import is_ready, mark_ready, read_json, sha256_file, write_json

MODEL = "model"
BLEND = "blend.json"
"""Which share of the trained weights is taken, written before the weights: a stage that is begun again takes it too."""
BLEND_SHARE = 0.05
"""Of the budget, for comparing blends."""
PROBE_TEXTS = 48
"""Texts of the round of whose tokens probes are made that tell the version from its parent."""


def export_stage(context: Context) -> StageOutcome:
    """Checkpoint -> a model folder; no fingerprint where weights are no numbers."""
    began = context.clock()
    parent = context.registry.path(context.round.parent)
    folder = context.folder("export") / MODEL
    chosen = _write_weights(context, parent, folder)
    separation = None
    if models.finite(models.load(folder)):
        tokens = [item.tokens for item in load_all(context.folder("score"), context.vault)[:PROBE_TEXTS]]
        separation = record(folder, parent, folder / FINGERPRINT_FILE, mixed_prompts(tokens)).separation
    sha = sha256_file(folder / "model.safetensors")
    return StageOutcome(
        {
            "separation": separation,
            **chosen,
            "sha256": sha,
            "export_seconds": round(context.clock() - began, 3),
        }
    )


def _write_weights(context: Context, parent: Path, folder: Path) -> dict[str, Any]:
    """Blend and write once: a marker of its own says that the weights are whole. Returns what was taken, and why."""
    written, kept = context.folder("export") / "weights", context.folder("export") / BLEND
    if is_ready(written) and kept.is_file():
        return dict(read_json(kept))
    shutil.rmtree(folder, ignore_errors=True)
    trained = trained_weights(context.folder("distil") / CHECKPOINT)
    if not kept.is_file():
        write_json(kept, _blend(context, parent, trained))
    chosen: dict[str, Any] = read_json(kept)
    export_weights(parent, trained, chosen["blend"], folder)
    written.mkdir(exist_ok=True)
    mark_ready(written)
    return chosen


def _blend(context: Context, parent: Path, trained: dict[str, Tensor]) -> dict[str, Any]:
    """The recipe's share, or the one that the round's development rows choose, as the stage's summary has it."""
    config, path = context.config, context.folder("select") / DEVELOPMENT
    if not config.blends or not path.is_file():
        return {"blend": config.blend}
    encoder = Encoder(context.registry.path(context.round.parent))
    texts = development_texts(read_rows(path, context.vault), encoder, config.max_length)
    chosen = blended(
        parent, trained, config.recipe, texts, seconds=config.budget_seconds * BLEND_SHARE, clock=context.clock,
        progress=context.progress("export"),
    )  # fmt: skip
    return {**chosen, "blend_rows": {**chosen["blend_rows"], "of": len(texts), "max_length": config.max_length}}


def blended(
    parent: Path,
    trained: dict[str, Tensor],
    recipe: Recipe,
    texts: Sequence[DevelopmentText],
    *,
    seconds: float = math.inf,
    clock: Clock = monotonic,
    progress: Progress = silent,
) -> dict[str, Any]:
    """The share of trained weights that the texts choose, why, and what each of `recipe.blends` says to them."""
    found = compare_blends(
        parent, trained, recipe.blends, texts, device=models.pick_device(recipe.device), seconds=seconds, clock=clock,
        progress=progress,
    )  # fmt: skip
    blend, why = choose_blend(found, recipe.blend)
    rows = {"general": len(found[0].general), "new": len(found[0].new)}
    return {"blend": blend, "blend_why": why, "blend_rows": rows, "blends": told(found)}


def export_weights(parent: Path, trained: dict[str, Tensor], blend: float, folder: Path) -> None:
    """Blend what was trained with its parent and write it as a model folder."""
    model = models.load(parent)
    models.blend(model, trained, blend)
    models.export(model, parent, folder)
