"""Which samples a round learns from and which it is judged on: pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feedback.events import HardSample
from online_distill.data.config import DataConfig
from online_distill.data.rows import Row
from understudy.ids import unit_fraction


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows to train on and rows held out, hard ones and anchors in each."""

    train: list[Row]
    holdout: list[Row]


def is_held_out(exchange: str, share: float) -> bool:
    """Whether an exchange is kept from training, in this round and in every other."""
    return unit_fraction("holdout", exchange) < share


def prompt_key(row: Row) -> str:
    """Same prompt, same key."""
    return hashlib.sha256(json.dumps(row.messages, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def select(hard: Sequence[HardSample], anchors: Sequence[HardSample], config: DataConfig) -> Selection:
    """Split pool samples by hash of their exchange; what shares its prompt with a held-out row is not trained on.

    An exchange counts once, with the prompt of a hard sample never an anchor too.
    """
    hard_rows = _distinct([Row.of(sample, "hard") for sample in hard], set())
    anchor_rows = _distinct([Row.of(s, "anchor") for s in anchors], {prompt_key(row) for row in hard_rows})
    held_hard = [r for r in hard_rows if is_held_out(r.exchange, config.holdout_share)][: config.max_holdout]
    held_anchor = [r for r in anchor_rows if is_held_out(r.exchange, config.holdout_share)][: config.max_holdout]
    train_hard = [r for r in hard_rows if not is_held_out(r.exchange, config.holdout_share)][: config.max_hard]
    room = round(config.replay_ratio * len(train_hard))
    train_anchor = [r for r in anchor_rows if not is_held_out(r.exchange, config.holdout_share)][:room]
    return Selection(train_hard + train_anchor, held_hard + held_anchor)


def _distinct(rows: Iterable[Row], seen: set[str]) -> list[Row]:
    """One row for each prompt, one that is held out before one that is not: its prompt is kept from training."""
    by_prompt: dict[str, Row] = {}
    for row in rows:
        key = prompt_key(row)
        if key in seen or not row.teacher_text:
            continue
        known = by_prompt.get(key)
        if known is None or unit_fraction("holdout", row.exchange) < unit_fraction("holdout", known.exchange):
            by_prompt[key] = row
    return list(by_prompt.values())


def lineage_digest(rows: Iterable[Row]) -> str:
    """SHA-256 over the sorted ids of the rows."""
    return hashlib.sha256("\n".join(sorted(row.id for row in rows)).encode()).hexdigest()
