"""The experiment file's model: what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from ab.files import read_experiment
from understudy.errors import ConfigError


@pytest.mark.parametrize(
    "line",
    [
        "arms: {student: .nan, teacher: 0.1}",
        "arms: {student: .inf, teacher: 0.1}",
        "arms: {student: 1}\nstop: {max_days: .inf}",
        "arms: {student: 1}\nguardrails: [{kpi: latency_p99, max_ratio: .nan}]",
        "arms: {student: 1}\nprimary: {kpi: click, margin: .inf}",
    ],
)
def test_numbers_that_are_none_are_refused_by_name(tmp_path: Path, line: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(f"id: x\n{line}\n", "utf-8")
    with pytest.raises(ConfigError, match="finite number"):
        read_experiment(file)


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
