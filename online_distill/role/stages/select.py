"""Pool -> rows to train on and rows held out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from online_distill.data.rows import write_rows
from online_distill.data.selecting import lineage_digest, select
from online_distill.role.context import Context, StageOutcome

POOL_FACTOR = 3
"""Times as many pool samples are looked at as are trained on, since some are held out or are doubles."""


def select_stage(context: Context) -> StageOutcome:
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
        return StageOutcome(summary, "failed")
    return StageOutcome(summary)
