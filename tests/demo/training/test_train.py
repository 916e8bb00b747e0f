"""What is not good enough is not published."""

from pathlib import Path

import pytest

from demo.training.train import TrainingFailed, publish


def test_nothing_is_published_when_the_student_never_became_good(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="75%"):
        publish(tmp_path / "work", tmp_path / "out")
    assert not (tmp_path / "out").exists()
