"""The split of the real dialogues is the same for ever and has the promised shares."""

from collections import Counter

import pytest

from demo.training.split import role

PINNED = {
    "star-2951": "judge",
    "star-5587": "both",
    "x-0": "both",
    "x-1": "teacher_only",
    "对话-7": "both",
    "x-3": "judge",
}


def test_known_ids_keep_their_roles() -> None:
    found = {name: role(name) for name in PINNED}
    assert found == PINNED


def test_a_fifth_is_judged_on_and_three_tenths_are_the_teachers_alone() -> None:
    counts = Counter(role(f"dialogue-{number}") for number in range(20_000))
    assert counts["judge"] / 20_000 == pytest.approx(0.20, abs=0.01)
    assert counts["teacher_only"] / 20_000 == pytest.approx(0.30, abs=0.01)
