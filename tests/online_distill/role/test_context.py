"""What a stage is given: its folder, what earlier stages said, and a reporter that ends it when a stop is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from online_distill.role.context import Context, Stopped


def test_progress_is_told_to_the_rounds(context: Context) -> None:
    context.progress("select")(3, 10, "读取")
    told = context.rounds.read_progress(context.round.id)
    assert told is not None
    assert (told["stage"], told["done"], told["total"], told["note"]) == ("select", 3, 10, "读取")


def test_a_report_ends_the_stage_once_a_stop_was_asked_for_and_is_told_all_the_same(context: Context) -> None:
    report = replace(context, stopped=lambda: True).progress("select")
    with pytest.raises(Stopped, match="goes on at its next start"):
        report(4, 10, "")
    told = context.rounds.read_progress(context.round.id)
    assert told is not None
    assert told["done"] == 4


def test_a_stage_has_a_folder_of_its_round_and_reads_what_earlier_ones_said(context: Context) -> None:
    assert context.folder("select") != context.folder("score")
    context.rounds.finish(context.round.id, "select", {"n": 5})
    later = replace(context, round=context.rounds.get(context.round.id))
    assert later.summary("select") == {"n": 5}
    with pytest.raises(KeyError, match="score"):
        later.summary("score")
