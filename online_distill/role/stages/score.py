"""Rows -> targets: the parent's own for replay that it knows, the teacher's for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.data.rows import read_rows
from online_distill.role.context import Context, StageOutcome
from online_distill.teacher.known import score_known
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.scoring import Scoring
from online_distill.teacher.texts import Text


def score_stage(context: Context) -> StageOutcome:
    """train.jsonl -> shards of targets."""
    config = context.config
    rows = read_rows(context.folder("select") / "train.jsonl", context.vault)
    texts = context.texts(rows, Encoder(context.registry.path(context.round.parent)))
    seconds, memory = config.budget_seconds * config.score_share, context.memory()
    own, texts = _by_parent(context, texts)
    with closing(context.make_scorer(context.round)) as scorer:
        scoring = Scoring(
            context.folder("score"),
            scorer,
            seconds,
            batch=config.score_batch,
            least=config.min_train,
            clock=context.clock,
            memory=memory,
            vault=context.vault,
        )
        summary = scoring.run(texts, context.progress("score"))
    if memory is not None:
        memory.cache.prune()
    summary |= {**own, "learned_by": context.knowledge.level, "not_more": context.knowledge.why}
    if context.knowledge.level == "text":
        summary["seconds_per_text"] = 0.0  # nobody was asked, so it says nothing of the teacher's pace
    if summary["texts"] == 0:
        return StageOutcome({**summary, "error": "the teacher refused to score every text"}, "failed")
    return StageOutcome(summary)


def _by_parent(context: Context, texts: Sequence[Text]) -> tuple[dict[str, Any], list[Text]]:
    """(what the summary says of it, the texts that are left to the teacher): replay that the parent knows is scored."""
    known, began = [text for text in texts if text.known], context.clock()
    if not known:
        return {"known": 0, "known_seconds": 0.0}, list(texts)
    config, parent = context.config, context.round.parent
    context.registry.verify(parent)
    device = models.pick_device(config.device)
    with closing(LocalScorer(context.registry.path(parent), top_k=context.top_k, device=device)) as scorer:
        kept = score_known(context.folder("score"), scorer, known, context.progress("score"), context.vault)
    told = {"known": len(kept), "known_seconds": round(context.clock() - began, 3)}
    return told, [text for text in texts if text.key not in kept]
