"""Where data of third parties are looked for, and how their rows are read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from trials.shared_data import data_folder, json_rows


def test_the_folder_is_what_the_environment_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("UNDERSTUDY_DATA")
    assert data_folder().parts[-2:] == ("shared", "data")


def test_rows_are_read_packed_or_not_and_there_are_none_without_a_file(tmp_path: Path) -> None:
    text = '{"text": "你好"}\n\n{"text": "hello"}\n'
    plain, packed = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.gz"
    plain.write_text(text, "utf-8")
    packed.write_bytes(gzip.compress(text.encode()))
    assert list(json_rows(plain)) == list(json_rows(packed)) == [{"text": "你好"}, {"text": "hello"}]
    assert list(json_rows(tmp_path / "none.jsonl")) == []
