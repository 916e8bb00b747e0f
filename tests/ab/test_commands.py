"""`understudy experiment assign` on files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ab.commands import assign
from understudy.errors import ConfigError, UsageError


def test_assign_prints_a_line_for_each_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, units = tmp_path / "e.yaml", tmp_path / "units.txt"
    file.write_text("id: x\nseed: foo\narms: {teacher: 0.25, student: 0.75}\n", "utf-8")
    units.write_text("def\r\nab\n\n用户一\n", "utf-8")
    assert assign([str(file), "--units", str(units)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"unit": "def", "bucket": 0.2019, "arm": "teacher"}
    assert lines[1] == {"unit": "ab", "bucket": 0.2575, "arm": "student"}
    assert [line["unit"] for line in lines] == ["def", "ab", "用户一"]


def test_a_wrong_file_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    file, units = tmp_path / "e.yaml", tmp_path / "units.txt"
    units.write_text("u\n", "utf-8")
    file.write_text("id: x\narms: {teacher: 0.5, student: 0.6}\n", "utf-8")
    with pytest.raises(ConfigError, match="add up to 1"):
        assign([str(file), "--units", str(units)])
    file.write_text("id: x\narms: {teacher: 1.0}\nprimry: {}\n", "utf-8")
    with pytest.raises(ConfigError, match="did you mean `primary`"):
        assign([str(file), "--units", str(units)])
    file.write_text("id: x\narms: {teacher: 1.0}\n", "utf-8")
    with pytest.raises(UsageError, match="cannot read the units"):
        assign([str(file), "--units", str(tmp_path / "none")])
