"""Samples in memory are given as the pool would give them."""

from __future__ import annotations

from feedback.events import HardSample
from trials.samples import SampleList


def sample(number: int, student: str = "v1", kinds: tuple[str, ...] = ("semantic",)) -> HardSample:
    return HardSample(
        id=str(number), session="s", at=float(number), exchange=str(number), messages=[], teacher_text="t",
        student_text="s", teacher="t1", student=student, kinds=kinds,
    )  # fmt: skip


def test_the_latest_are_given_and_of_the_fresh_ones_what_that_student_failed() -> None:
    found = SampleList([sample(1), sample(2, "v2"), sample(3, kinds=("nested",)), sample(4)], [sample(5), sample(6)])
    assert [one.id for one in found.hard(2)] == ["3", "4"]
    assert [one.id for one in found.hard(9)] == ["1", "2", "3", "4"]
    assert [one.id for one in found.anchors(1)] == ["6"]
    assert list(found.hard(0)) == list(found.anchors(0)) == []
    assert [one.id for one in found.fresh(0, "v1")] == ["1", "4"]
    assert [one.id for one in found.fresh(1, "v1")] == ["4"]
    assert (found.position(), found.fresh_since(1, "v1", 9), found.fresh_since(4, "v1", 9)) == (4, 1, 0)
