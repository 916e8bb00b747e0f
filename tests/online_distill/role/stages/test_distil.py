"""The distil stage: the time that it has, and the parent that it trusts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from online_distill.role.context import Context
from online_distill.role.runner import run_round
from online_distill.role.stages import distil as stage
from online_distill.role.stages.distil import training_seconds
from online_distill.train.distil import Diverged
from online_distill.train.pace import Pace
from tests.online_distill.role.stages.slow import SlowScorer
from tests.online_distill.world import quick_config


def test_training_has_what_scoring_left_and_a_fifth_at_least() -> None:
    assert training_seconds(100.0, 0.0) == 90.0
    assert training_seconds(100.0, 35.0) == 55.0
    assert training_seconds(100.0, 120.0) == 20.0


@pytest.mark.parametrize(
    ("seconds", "texts", "left"),
    [
        (5.0, 7, 55.0),  # of 100 s scoring ends with the text that reaches its 35, and 10 are for evaluate
        (0.1, None, None),  # all texts in time: distil has what scoring left over
        (30.0, 4, 20.0),  # the least number of texts takes longer than the budget: distil has its least share
    ],
)
def test_the_budget_of_a_round_covers_scoring(
    context: Context, monkeypatch: pytest.MonkeyPatch, seconds: float, texts: int | None, left: float | None
) -> None:
    teacher = SlowScorer(context, seconds)
    given: list[float] = []

    def distil(folder: Path, parent: Path, items: object, recipe: object, pace: Pace, progress: object) -> object:
        given.append(pace.seconds)
        raise Diverged("enough seen")

    monkeypatch.setattr(stage, "distil", distil)
    config = quick_config(budget_seconds=100, score_share=0.35, score_batch=1, min_train=4)
    done = run_round(replace(context, config=config, make_scorer=lambda _: teacher, clock=lambda: teacher.now))
    scored = done.stages["score"].summary
    assert scored["score_seconds"] == pytest.approx(scored["texts"] * seconds)
    if texts is None:
        assert scored["texts"] == scored["texts_wanted"]
    else:
        assert scored["texts"] == texts
    assert given == [pytest.approx(left or 90 - scored["score_seconds"])]
    assert done.stages["distil"].event == "failed"


def test_a_parent_with_a_flipped_bit_is_never_trained_from(context: Context) -> None:
    weights = context.registry.path("v1") / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    done = run_round(context)
    assert done.state == "failed"
    assert "SHA-256" in done.stages[next(reversed(done.stages))].summary["error"]
    assert "distil" not in done.stages
