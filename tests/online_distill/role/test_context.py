"""What a stage is given: its folder, what earlier stages said, and a reporter that ends it when a stop is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.engines.knowledge import Knowledge
from deploy.routing.document import EXTERNAL
from online_distill.data.encoding import Encoded
from online_distill.role.context import Context, Stopped
from online_distill.teacher.cache import Memory
from online_distill.teacher.spoken import TextScorer
from online_distill.teacher.texts import Text


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


def test_targets_of_an_external_teacher_are_kept_under_what_it_is_not_under_where_it_is(context: Context) -> None:
    def memory(**told: Any) -> Memory | None:
        known = Knowledge(teacher=EXTERNAL, **told)
        return replace(context, round=replace(context.round, teacher=EXTERNAL), knowledge=known).memory()

    first, other, narrow = (
        memory(identity="external-a"), memory(identity="external-b"), memory(identity="external-a", width=5),
    )  # fmt: skip
    assert first is not None
    assert other is not None
    assert narrow is not None
    text = Text("row/teacher", Encoded([0, 7, 8, 9], 2), 1.0)
    first.remember(text, text.encoded, TextScorer(top_k=20).score([text.encoded])[0])
    assert (first.holds(text), other.holds(text), narrow.holds(text)) == (True, False, False)
    assert memory() is None
    assert memory(identity="external-a", level="text") is None
    context = replace(context, vault=None)
    assert memory(identity="external-a") is None
