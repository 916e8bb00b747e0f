"""The evaluate stage's work: agreement of parent and candidate on held-out rows, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from online_distill import models
from online_distill.data.encoding import Encoded, Encoder
from online_distill.data.rows import Row
from online_distill.evaluate.agreement import REPLY_TOKENS, agreement


def judge(
    rows: Sequence[Row], parent: Path, candidate: Path, *, max_length: int, device: torch.device
) -> dict[str, Any]:
    """The content of evaluation.json: pairs for hard and general rows, means by kind and language.

    Both models run in float32 from their stored weights. A candidate with weights that are no numbers is
    flagged and agrees with nothing. Rows of more than `max_length` tokens are left out.
    """
    encoder = Encoder(parent)
    kept: list[tuple[Row, Encoded]] = []
    for row in rows:
        encoded = encoder.encode(row.messages, row.teacher_text, max_length=max_length, max_reply=REPLY_TOKENS)
        if encoded is not None:
            kept.append((row, encoded))
    texts = [encoded for _, encoded in kept]
    before = agreement(models.load(parent, device), texts)
    model = models.load(candidate, device)
    finite = models.finite(model)
    after = agreement(model, texts) if finite else [0.0] * len(texts)
    pairs = [(row, b, a) for (row, _), b, a in zip(kept, before, after, strict=True)]
    return {
        "schema_version": 1,
        "candidate_finite": finite,
        "hard": _pairs(pairs, "hard"),
        "general": _pairs(pairs, "anchor"),
        "summary": _summary(pairs),
    }


def _pairs(pairs: Sequence[tuple[Row, float, float]], role: str) -> list[dict[str, Any]]:
    return [{"id": row.id, "parent": b, "candidate": a} for row, b, a in pairs if row.role == role]


def _summary(pairs: Sequence[tuple[Row, float, float]]) -> dict[str, Any]:
    groups: dict[str, list[tuple[float, float]]] = {}
    for row, before, after in pairs:
        role = "hard" if row.role == "hard" else "general"
        for name in (role, f"{role}/{row.lang}", *([f"hard/{row.kind}"] if row.role == "hard" and row.kind else [])):
            groups.setdefault(name, []).append((before, after))
    return {
        name: {"n": len(found), "parent": fmean(b for b, _ in found), "candidate": fmean(a for _, a in found)}
        for name, found in sorted(groups.items())
    }
