"""Sizes of stores."""

from __future__ import annotations

from pathlib import Path

from understudy.retention import file_bytes, folder_bytes


def test_a_folder_weighs_what_its_files_weigh(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "字").write_bytes(b"x" * 5)
    assert folder_bytes(tmp_path) == 15
    assert (file_bytes(tmp_path / "a"), file_bytes(tmp_path / "none"), folder_bytes(tmp_path / "none")) == (10, 0, 0)
