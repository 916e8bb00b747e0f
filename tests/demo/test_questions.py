"""The questions that the demo gives the report are held out, and the same each time."""

from __future__ import annotations

from demo.questions import questions
from demo.world import stream


def test_they_are_the_same_each_time_and_a_longer_list_begins_with_the_shorter_one() -> None:
    few, more = ([q for q in questions(count) if q.purpose == "judged" and q.family == "drift"] for count in (3, 5))
    assert more[:3] == few


def test_no_question_occurs_in_training_or_traffic() -> None:
    asked = {str(one.messages) for one in questions(50)}
    for split in ("train", "traffic"):
        for family in ("drift", "general"):
            assert not asked & {str(one.messages) for one in stream(71, split, family, 200)}
