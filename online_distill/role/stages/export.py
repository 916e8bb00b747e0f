"""Trained weights -> a model folder with its fingerprint, as it will be registered."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import Tensor

from deploy.engines.fingerprint import FINGERPRINT_FILE
from online_distill import models
from online_distill.evaluate.fingerprint import mixed_prompts, record
from online_distill.role.context import Context, StageOutcome
from online_distill.teacher.targets import load_all
from online_distill.train.checkpoint import CHECKPOINT, trained_weights
from understudy.files import is_ready, mark_ready, sha256_file

MODEL = "model"
PROBE_TEXTS = 48
"""Texts of the round of whose tokens probes are made that tell the version from its parent."""


def export_stage(context: Context) -> StageOutcome:
    """Checkpoint -> a model folder; no fingerprint where weights are no numbers."""
    began = context.clock()
    parent = context.registry.path(context.round.parent)
    folder = context.folder("export") / MODEL
    _write_weights(context, parent, folder)
    separation = None
    if models.finite(models.load(folder)):
        tokens = [item.tokens for item in load_all(context.folder("score"), context.vault)[:PROBE_TEXTS]]
        separation = record(folder, parent, folder / FINGERPRINT_FILE, mixed_prompts(tokens)).separation
    sha = sha256_file(folder / "model.safetensors")
    return StageOutcome(
        {
            "separation": separation,
            "blend": context.config.blend,
            "sha256": sha,
            "export_seconds": round(context.clock() - began, 3),
        }
    )


def _write_weights(context: Context, parent: Path, folder: Path) -> None:
    """Blend and write once: a marker of its own says that the weights are whole."""
    written = context.folder("export") / "weights"
    if is_ready(written):
        return
    shutil.rmtree(folder, ignore_errors=True)
    export_weights(parent, trained_weights(context.folder("distil") / CHECKPOINT), context.config.blend, folder)
    written.mkdir(exist_ok=True)
    mark_ready(written)


def export_weights(parent: Path, trained: dict[str, Tensor], blend: float, folder: Path) -> None:
    """Blend what was trained with its parent and write it as a model folder."""
    model = models.load(parent)
    models.blend(model, trained, blend)
    models.export(model, parent, folder)
