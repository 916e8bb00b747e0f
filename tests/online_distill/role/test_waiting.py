"""A round waits for held-out rows, where the gate is set to wait, and goes on once they are there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.life.config import GateConfig
from online_distill.role import waiting
from online_distill.role.context import Context
from online_distill.role.runner import run_round
from online_distill.role.stages.select import select_stage
from understudy.errors import Unavailable

WAITS = GateConfig(general_rows=400, hard_rows=5)


def test_a_round_with_few_rows_to_judge_on_waits_and_says_for_what(context: Context) -> None:
    waiting_round = replace(context, gate=WAITS)
    with pytest.raises(Unavailable, match=r"round 1 waits for held-out prompts: \d+ of 400 general; `gate.on_few: go`"):
        run_round(waiting_round)
    now = context.rounds.get(1)
    assert (now.state, now.finished) == ("select", False)
    told = context.rounds.read_progress(1)
    assert told is not None
    assert told["note"].startswith("waits for held-out prompts")


def test_a_round_that_waits_looks_again_only_after_a_while(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable):
        select_stage(replace(context, gate=WAITS))
    enough = replace(context, gate=GateConfig(general_rows=2, hard_rows=2))
    with pytest.raises(Unavailable, match="400 general"):
        select_stage(enough)
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.0)
    assert select_stage(enough).event == "done"


def test_a_gate_that_goes_on_with_few_waits_for_none(context: Context) -> None:
    assert select_stage(replace(context, gate=WAITS.model_copy(update={"on_few": "go"}))).event == "done"


def test_a_round_of_an_unfit_parent_waits_for_what_its_judgement_needs_and_no_more(context: Context) -> None:
    with pytest.raises(Unavailable, match=r"\d+ of 20 general; send more traffic"):
        select_stage(replace(context, gate=WAITS.model_copy(update={"on_few": "go"}), unfit=True))


def test_enough_for_an_unfit_parent_is_enough(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LEAST", {"general": 2})
    assert select_stage(replace(context, gate=WAITS, unfit=True)).event == "done"
