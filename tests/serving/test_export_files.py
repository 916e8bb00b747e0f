"""A file of rows is whole or as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.export_files import written_whole
from understudy.errors import UnderstudyError


def test_a_draft_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"

    def half(draft: Path) -> int:
        draft.write_text("half")
        raise OSError(28, "No space left on device")

    file.write_text("former")
    with pytest.raises(UnderstudyError, match="No space left"):
        written_whole(file, half)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("rows.csv", "former")]
    assert written_whole(file, lambda draft: draft.write_text("whole")) == 5
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("whole", 0o600)
