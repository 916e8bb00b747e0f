"""Parent and candidate on the same held-out rows, pair by pair."""

from __future__ import annotations

from pathlib import Path

import torch

from online_distill.data.rows import Row
from online_distill.evaluate.judging import judge
from tests.online_distill.world import make_samples


def test_judging_gives_pairs_and_means_by_language(teacher_folder: Path, student: Path) -> None:
    rows = [Row.of(s, "hard") for s in make_samples(6)] + [Row.of(s, "anchor") for s in make_samples(4, start=900)]
    found = judge(rows, teacher_folder, student, max_length=512, device=torch.device("cpu"))
    assert len(found["hard"]) == 6
    assert len(found["general"]) == 4
    assert found["summary"]["hard/zh"]["n"] == 3
    assert all(0 <= pair["parent"] <= 1 and 0 <= pair["candidate"] <= 1 for pair in found["hard"])


def test_a_row_that_is_too_long_is_judged_on_neither_side(teacher_folder: Path, student: Path) -> None:
    long = Row.of(make_samples(1)[0], "hard").model_copy(update={"teacher_text": "so " * 300})
    found = judge([long], teacher_folder, student, max_length=60, device=torch.device("cpu"))
    assert (found["hard"], found["general"], found["summary"]) == ([], [], {})
