"""What a round may draw from: fresh, old, and what the checks let pass although it states another fact."""

from __future__ import annotations

from collections.abc import Sequence

from online_distill.data.config import DataConfig
from online_distill.data.material import asked, gather, of_teacher, too_old
from online_distill.data.reservoir import Reservoir
from online_distill.data.rows import Row
from online_distill.data.selecting import select
from tests.online_distill.world import make_samples


def nothing_known(rows: Sequence[Row]) -> list[bool]:
    return [False] * len(rows)


def test_what_is_not_fresh_is_old_and_kept_rows_come_along() -> None:
    samples = make_samples(8)
    reservoir = Reservoir()
    first = gather(samples[:3], samples, make_samples(4, start=50), reservoir, "v1")
    assert [row.why for row in (*first.fresh, *first.old, *first.general)] == ["fresh"] * 3 + ["old"] * 5 + [
        "replay"
    ] * 4
    assert {row.cluster for row in first.fresh} == set(reservoir.clusters.names())
    reservoir.rows = [row.model_copy(update={"why": "kept"}) for row in first.general]
    again = gather([], [], [], reservoir, "v1")
    assert [row.why for row in again.general] == ["kept"] * 4


def test_kept_failures_come_back_as_old_ones_and_are_judged_on_again() -> None:
    """The pool has forgotten them; that they are held out, they still are, and so they are never trained on."""
    reservoir = Reservoir()
    config = DataConfig(holdout_share=0.5, reserved_clusters=0)
    samples = make_samples(60)
    first = select(gather(samples, [], [], reservoir, "v1"), config, nothing_known)
    reservoir.keep(first.holdout, config)
    kept = {row.id for row in reservoir.hard()}
    assert len(kept) > 10
    found = gather(make_samples(60, start=500), [], [], reservoir, "v2")
    assert [row.id for row in found.old] == [row.id for row in reservoir.hard()]
    again = select(found, config, nothing_known)
    judged = {row.id for row in again.holdout if row.why == "kept" and row.role == "hard"}
    assert judged
    assert judged <= kept
    assert not kept & {row.id for row in again.train}


def test_the_parents_own_text_is_learned_from_for_a_week_and_the_teachers_for_longer() -> None:
    week = 7 * 86_400.0
    samples = [
        s.model_copy(update={"at": at}) for s, at in zip(make_samples(3), (2 * week, week, week - 1), strict=True)
    ]
    found = gather(samples[:1], samples[1:], [], Reservoir(), "v1")
    texts = [row.student_text != "" for row in (*found.fresh, *found.old)]
    assert texts == [True, True, False]
    assert all(row.teacher_text for row in found.old)
    assert too_old(samples[:1], samples[1:]) == {samples[2].id}
    assert too_old([], samples) == set()


def test_what_the_assistant_said_in_between_puts_no_prompts_together() -> None:
    turns = [("user", "My kettle is late."), ("assistant", "Thank you, I have noted that."), ("user", "Why?")]
    assert asked([{"role": role, "content": text} for role, text in turns]) == "My kettle is late.\nWhy?"


def test_a_wrong_fact_that_the_checks_let_pass_is_taken_as_an_old_failure_with_the_teachers_text() -> None:
    passed = [s.model_copy(update={"kinds": (), "weight": 1.0}) for s in make_samples(4, start=50)]
    right, wrong, worded, empty = passed
    right = right.model_copy(update={"student_text": right.teacher_text})
    wrong = wrong.model_copy(update={"student_text": wrong.teacher_text.replace("五", "六")})
    worded = worded.model_copy(update={"student_text": worded.teacher_text.replace("arrives", "comes")})
    empty = empty.model_copy(update={"student_text": empty.teacher_text, "student": "v0"})
    found = gather(make_samples(2), [], [right, wrong, worded, empty], Reservoir(), "v1")
    assert [(row.id, row.kind, row.weight, row.role) for row in found.old] == [(wrong.id, "logic", 3.0, "hard")]
    assert found.old[0].teacher_text == wrong.teacher_text
    assert [row.student_text for row in found.general] == [""] * 4


def test_text_of_another_teacher_is_left_out_by_name_and_by_when_the_name_changed_hands() -> None:
    samples = make_samples(4)
    others = [samples[0].model_copy(update={"teacher": "t0"}), *samples[1:]]
    assert of_teacher(others, "t1") == samples[1:]
    assert of_teacher(others, "t1", since=samples[2].at) == samples[2:]
    reservoir = Reservoir(rows=list(gather([], [], others, Reservoir(), "v1").general))
    assert reservoir.forget_teachers("t1", samples[2].at) == [sample.id for sample in samples[:2]]
    assert {row.exchange for row in reservoir.rows} == {sample.exchange for sample in samples[2:]}
