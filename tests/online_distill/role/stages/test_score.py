"""The score stage: its share of the budget, and a parent that is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.routing.document import EXTERNAL
from online_distill.role.context import Context, Stopped
from online_distill.role.runner import run_round
from online_distill.role.stages.table import STAGES
from tests.online_distill.role.stages.slow import SlowScorer
from tests.online_distill.world import make_samples, quick_config
from trials.samples import SampleList


def test_what_scoring_took_before_a_stop_counts_against_its_share(context: Context) -> None:
    teacher = SlowScorer(context, 5.0)
    config = quick_config(budget_seconds=100, score_share=0.35, score_batch=1, min_train=4)
    slow = replace(context, config=config, make_scorer=lambda _: teacher, clock=lambda: teacher.now)
    with pytest.raises(Stopped):
        run_round(replace(slow, stopped=lambda: teacher.now >= 20))
    summary = STAGES["score"](replace(slow, round=context.rounds.get(1))).summary
    assert (summary["texts"], summary["score_seconds"]) == (7, pytest.approx(35.0))


def test_a_second_round_asks_only_for_what_is_new(finished_copy: Context) -> None:
    asked = finished_copy.summary("score")
    assert (asked["cached"], asked["no_time"]) == (0, 0)
    finished_copy.rounds.finish(1, "gate", {}, "rejected")
    source = SampleList([*make_samples(60), *make_samples(60, start=200)], make_samples(60, start=1000))
    again = replace(finished_copy, round=finished_copy.rounds.begin("v1", "t1", "again"), source=source)
    selected, scored = STAGES["select"](again).summary, STAGES["score"](again).summary
    assert {why for why, n in selected["left_out"].items() if n} == {"held_out_surplus"}
    assert scored["cached"] >= selected["drawn"]["train"]["anchor_kept"] > 20
    assert scored["texts"] == scored["texts_wanted"] > scored["cached"]
    without = replace(again, config=quick_config(cache_mb=0))
    assert without.memory() is None
    assert replace(again, round=replace(again.round, teacher=EXTERNAL)).memory() is None
