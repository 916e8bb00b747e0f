"""Which samples a round learns from and which it is judged on: pure, given the one who asks the parent.

What is held out is a function of the exchange's id and the cluster of its prompt, in every round the same.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from feedback.pool.general import is_general
from feedback.texts import normal
from online_distill.data.clusters import is_reserved
from online_distill.data.config import DataConfig
from online_distill.data.rows import Row
from understudy.ids import unit_fraction

Agrees = Callable[[Sequence[Row]], Sequence[bool]]
"""Asks the parent whether each token of the teacher's text is its own choice."""
ASKED = 2
"""Times `max_hard` old rows are asked of the parent, since it has learned many of them."""
FEW = 30
"""Held-out failures below which those count, too, that stand for all traffic."""


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to draw from; each prompt may stand in several lists."""

    fresh: Sequence[Row]
    """Hard: failures of the live student since the last round."""
    old: Sequence[Row]
    """Hard: of former students, or from before the last round."""
    general: Sequence[Row]
    """Anchors, from the pool and kept by earlier rounds; some failed their checks."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows to train on and rows held out, hard ones and anchors in each, and what was left out by reason."""

    train: list[Row]
    holdout: list[Row]
    dropped: dict[str, int]


def is_held_out(exchange: str, cluster: str, config: DataConfig) -> bool:
    """Whether an exchange is kept from training, in this round and in every other."""
    share = config.general_holdout_share if is_general(exchange) else config.holdout_share
    return unit_fraction("holdout", exchange) < share or is_reserved(cluster)


def is_development(exchange: str, config: DataConfig) -> bool:
    """Whether an exchange that is not held out is kept from training to compare candidates of one round on it."""
    return unit_fraction("development", exchange) < config.development_share


def prompt_key(row: Row) -> str:
    """Same prompt, same key: width, case and white space of its texts aside."""
    plain = [m | {"content": normal(m["content"])} if isinstance(m.get("content"), str) else m for m in row.messages]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def balanced(rows: Iterable[Row], n: int) -> list[Row]:
    """Up to `n` rows, one of each cluster, then a second one, and so on; by hash, so that the order given is nothing.

    Of a cluster those come first that were judged before: small losses that add up are seen on rows which versions far
    apart share. Drawn again from what was drawn and what is new, it gives what a draw from all would have given.
    """
    ranked, places = [], Counter[str]()
    for turn, row in sorted(((_turn(row), row) for row in rows), key=itemgetter(0)):
        ranked.append((places[row.cluster], turn, row))
        places[row.cluster] += 1
    return [row for _, _, row in sorted(ranked, key=lambda item: item[:2])[:n]]


def select(material: Material, config: DataConfig, agrees: Agrees) -> Selection:
    """Split what there is; what shares its prompt with a held-out row is not trained on, and a prompt counts once."""
    every = [*material.fresh, *material.old, *material.general]
    holdout = _holdout(material, config, agrees)
    taken = {prompt_key(row) for row in every if _held(row, config)}
    held = len(taken)
    fresh = _distinct(material.fresh, taken)
    older = _distinct(material.old, taken)[: ASKED * config.max_hard]
    now = fresh[: config.max_hard]
    hard, learned = _asked(older, agrees, _room(len(now), config.max_hard))
    general = [*learned, *_distinct(material.general, taken)]
    replay = balanced(general, config.max_replay) if config.replay_balanced else _by_chance(general, config.max_replay)
    dropped = {
        "held_out_surplus": held - len({prompt_key(row) for row in holdout}),
        "fresh_surplus": len(fresh) - len(now),
        "old_surplus": len(older) - len(hard) - len(learned),
        "replay_surplus": len(general) - len(replay),
    }
    return Selection([*now, *hard, *replay], holdout, {why: n for why, n in dropped.items() if n})


def _holdout(material: Material, config: DataConfig, agrees: Agrees) -> list[Row]:
    """Hard rows of the exchanges that do not stand for all traffic, general ones of those that do.

    Where too few of the former were held out, fresh failures among the latter, which are held out anyway, are judged as
    hard rows too: real traffic of a few hundred requests would else end in no judgement.
    """
    taken: set[str] = set()
    hard = [r for r in material.fresh if _held(r, config) and not is_general(r.exchange)]
    older = [r for r in material.old if _held(r, config) and not is_general(r.exchange)]
    failed = [*material.fresh, *material.old, *material.general]
    general = [r.as_anchor(r.why) for r in failed if _held(r, config) and is_general(r.exchange)]
    judged = balanced(_distinct(general, taken), config.holdout_general)
    fresh = _distinct(hard, taken)[: config.holdout_hard]
    shared = [r for r in material.fresh if _held(r, config) and is_general(r.exchange)]
    fresh += _distinct(shared, {prompt_key(r) for r in fresh})[: max(0, min(FEW, config.holdout_hard) - len(fresh))]
    old, _ = _asked(_distinct(older, taken)[: config.holdout_hard], agrees, _room(len(fresh), config.holdout_hard))
    return [*fresh, *old, *judged]


def _held(row: Row, config: DataConfig) -> bool:
    return is_held_out(row.exchange, row.cluster, config)


def _room(fresh: int, most: int) -> int:
    """Old rows beside `fresh` ones: never more than those, nor than there is room for."""
    return min(fresh, most - fresh)


def _asked(rows: Sequence[Row], agrees: Agrees, most: int) -> tuple[list[Row], list[Row]]:
    """(up to `most` rows that the parent still fails, those that it has learned, for replay)."""
    known = agrees(rows) if rows else []
    failed = [row for row, right in zip(rows, known, strict=True) if not right]
    return failed[:most], [row.as_anchor("learned") for row, right in zip(rows, known, strict=True) if right]


def _distinct(rows: Iterable[Row], taken: set[str]) -> list[Row]:
    """Rows in turn, one for each prompt that is not `taken`, and taken then; none without a text to learn."""
    found = []
    for row in sorted(rows, key=_turn):
        key = prompt_key(row)
        if key not in taken and row.teacher_text:
            taken.add(key)
            found.append(row)
    return found


def _by_chance(rows: Iterable[Row], n: int) -> list[Row]:
    return sorted(rows, key=_turn)[:n]


def _turn(row: Row) -> tuple[bool, float, str]:
    """When it is drawn: after those that were judged before, by hash."""
    return not row.judged, unit_fraction("draw", row.exchange), row.id


def lineage_digest(rows: Iterable[Row]) -> str:
    """SHA-256 over the sorted ids of the rows."""
    return hashlib.sha256("\n".join(sorted(row.id for row in rows)).encode()).hexdigest()
