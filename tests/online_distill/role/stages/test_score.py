"""The score stage: its share of the budget, and a parent that is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from online_distill.role.context import Context, Stopped
from online_distill.role.runner import run_round
from online_distill.role.stages.table import STAGES
from tests.online_distill.role.stages.slow import SlowScorer
from tests.online_distill.world import quick_config


def test_what_scoring_took_before_a_stop_counts_against_its_share(context: Context) -> None:
    teacher = SlowScorer(context, 5.0)
    config = quick_config(budget_seconds=100, score_share=0.35, score_batch=1, min_train=4)
    slow = replace(context, config=config, make_scorer=lambda _: teacher, clock=lambda: teacher.now)
    with pytest.raises(Stopped):
        run_round(replace(slow, stopped=lambda: teacher.now >= 20))
    summary = STAGES["score"](replace(slow, round=context.rounds.get(1))).summary
    assert (summary["texts"], summary["score_seconds"]) == (7, pytest.approx(35.0))
