"""Versions and APIs that `init` is given, and what it says where it cannot tell which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onboard.importing import ImportOptions, import_model
from tests.onboard.conftest import ENGINES
from tests.onboard.stages import silent
from tests.onboard.typed import init
from understudy.cli import main
from understudy.state import StateDir


def test_wrong_versions_and_shares_are_named(
    both: StateDir, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.yaml"
    for words, said, code in (
        (("--teacher", "v1"), "v1 is a student, and was given as the teacher", 2),
        (("--student", "v9"), "not registered", 1),
        (("--student-share", "2"), "0 to 1", 2),
    ):
        assert init(both, out, *words) == code
        assert said in capsys.readouterr().err
    import_model(both, made, ImportOptions("teacher", dtype="float32"), ENGINES, silent)
    assert init(both, out) == 2
    assert "which teacher? give --teacher, one of t2, t1" in capsys.readouterr().err
    assert not out.exists()


def test_without_a_student_the_two_ways_to_one_are_named(
    state_dir: StateDir, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_model(state_dir, made, ImportOptions("teacher"), ENGINES, silent)
    assert init(state_dir, tmp_path / "x.yaml") == 1
    assert "models cut t1" in capsys.readouterr().err
    assert main(["models", "cut", "t1", "--layers", "2", "--state", str(state_dir.root)]) == 0
    capsys.readouterr()
    assert init(state_dir, tmp_path / "x.yaml", "--student-share", "0.5") == 2
    assert "nonsense" in capsys.readouterr().err
    assert init(state_dir, tmp_path / "x.yaml", "--json") == 0
    assert json.loads(capsys.readouterr().out)["student"] == "v1"
