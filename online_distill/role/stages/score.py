"""Rows -> the teacher's targets."""

from __future__ import annotations

from contextlib import closing

from online_distill.data.encoding import Encoder
from online_distill.data.rows import read_rows
from online_distill.role.context import Context, StageOutcome
from online_distill.teacher.scoring import Scoring
from online_distill.teacher.texts import texts_of


def score_stage(context: Context) -> StageOutcome:
    """train.jsonl -> shards of targets."""
    config = context.config
    rows = read_rows(context.folder("select") / "train.jsonl", context.vault)
    texts = texts_of(rows, Encoder(context.registry.path(context.round.parent)), config)
    seconds, memory = config.budget_seconds * config.score_share, context.memory()
    with closing(context.make_scorer(context.round)) as scorer:
        scoring = Scoring(
            context.folder("score"),
            scorer,
            seconds,
            batch=config.score_batch,
            least=config.min_train,
            clock=context.clock,
            memory=memory,
        )
        summary = scoring.run(texts, context.progress("score"))
    if memory is not None:
        memory.cache.prune()
    if summary["texts"] == 0:
        return StageOutcome({**summary, "error": "the teacher refused to score every text"}, "failed")
    return StageOutcome(summary)
