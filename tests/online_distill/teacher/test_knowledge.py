"""How much of a teacher can be learned from."""

from __future__ import annotations

import shutil
from pathlib import Path

from online_distill.teacher.knowledge import of_folders


def test_one_tokenizer_gives_log_probabilities_and_two_give_text(student: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(student, tmp_path / "v9"))
    assert of_folders(student, other).level == "logprobs"
    (other / "tokenizer.json").write_text("{}")
    found = of_folders(student, other)
    assert (found.level, found.student) == ("text", "v9")
    assert "student and v9 differ in tokenizer.json" in found.said
