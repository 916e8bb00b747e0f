"""Experiments and units as they are read from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ab.files import read_experiment, read_units
from understudy.errors import ConfigError, UsageError


@pytest.mark.parametrize("seed", ['"\\uD800"', "s" * 513])
def test_text_that_no_file_can_hold_or_that_never_ends_is_refused(tmp_path: Path, seed: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(f"id: x\nseed: {seed}\narms: {{student: 1}}\n", "utf-8")
    with pytest.raises(ConfigError, match="seed"):
        read_experiment(file)


def test_an_empty_file_and_a_key_given_twice_are_called_so(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text("# nothing yet\n", "utf-8")
    with pytest.raises(ConfigError, match="is empty"):
        read_experiment(file)
    file.write_text("id: x\narms: {student: 0.5, teacher: 0.5, student: 1}\n", "utf-8")
    with pytest.raises(ConfigError, match="`student` is given twice"):
        read_experiment(file)
    file.write_text("id: x\narms: {student: 0.5}\n", "utf-8")
    with pytest.raises(ConfigError, match="}: shares must add up to 1"):
        read_experiment(file)


def test_units_are_lines_without_their_ends(tmp_path: Path) -> None:
    file = tmp_path / "units.txt"
    file.write_bytes("a\r\n\n 用户 \nlast".encode())
    assert list(read_units(file)) == ["a", " 用户 ", "last"]
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot read the units"):
        list(read_units(file))


def test_a_file_that_is_away_or_no_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_experiment(tmp_path / "none.yaml")
    (tmp_path / "e.yaml").write_text("id: [", "utf-8")
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_experiment(tmp_path / "e.yaml")
