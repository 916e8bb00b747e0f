"""The configuration that `init` writes is one that `up` takes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from deploy.life.config import GateConfig, RolloutConfig
from deploy.routing.document import SLOTS, RouterConfig
from onboard.cutting import cut
from onboard.importing import ImportOptions, import_model
from serving.engine.config import EnginesConfig
from serving.gateway.config import GatewayConfig
from serving.up.config import UpConfig
from serving.up.launch import plan
from serving.up.memory import too_large, versions_to_load
from serving.up.options import UpOptions
from tests.onboard.conftest import ENGINES
from tests.onboard.models import SPECIAL, tiny
from tests.onboard.stages import silent
from understudy.cli import main
from understudy.config import load_config
from understudy.state import StateDir


@pytest.fixture
def both(state_dir: StateDir, made: Path, tmp_path: Path) -> StateDir:
    """Teacher t1 and student v1."""
    import_model(state_dir, made, ImportOptions("teacher"), ENGINES, silent)
    student = tiny(tmp_path / "student", seed=1, layers=2, max_position_embeddings=512)
    import_model(state_dir, student, ImportOptions("student"), ENGINES, silent)
    return state_dir


def init(state: StateDir, out: Path, *words: str) -> int:
    return main(["init", "--state", str(state.root), "--out", str(out), *words])


def test_up_takes_what_init_writes_and_everything_in_it_fits_the_models(both: StateDir, tmp_path: Path) -> None:
    out = tmp_path / "understudy.yaml"
    assert init(both, out, "--teacher", "t1", "--student", "v1") == 0
    assert plan(UpOptions(both, config=out)).up.application is None
    config = load_config(out, {})
    assert config.section(EnginesConfig).max_model_len == 512  # the student's, which is the shorter
    assert set(SPECIAL) <= set(config.section(GatewayConfig).control_tokens)
    assert config.section(RouterConfig).default == {"teacher": 1.0, "student": 0.0}
    rollout = config.section(RolloutConfig)
    assert (rollout.first_teacher, rollout.first_student) == ("t1", "v1")
    engines = config.section(EnginesConfig)
    needed = config.section(UpConfig).min_memory_mib << 20
    loads = versions_to_load(both, SLOTS, rollout)
    assert too_large(loads, engines, needed + (1 << 20)) == []
    assert len(too_large(loads, engines, needed - (1 << 20))) == 1
    comments = [line for line in out.read_text().splitlines() if "#" in line]
    assert len(comments) > 12


def test_a_student_that_is_unfit_is_said_to_be_and_the_file_says_what_makes_it_a_candidate(
    state_dir: StateDir, made: Path, tmp_path: Path
) -> None:
    import_model(state_dir, made, ImportOptions("teacher"), ENGINES, silent)
    cut(state_dir, "t1", 2, None, silent)
    out = tmp_path / "understudy.yaml"
    assert init(state_dir, out, "--teacher", "t1", "--student", "v1", "--student-share", "0") == 0
    gate, default = load_config(out, {}).section(GateConfig), GateConfig()
    assert (gate.fit_agreement, gate.fit_rows) == (default.fit_agreement, default.fit_rows)
    assert "the student is unfit: it learns from copies and answers nobody" in out.read_text()


def test_an_existing_file_stays_unless_it_is_forced(both: StateDir, tmp_path: Path) -> None:
    out = tmp_path / "understudy.yaml"
    out.write_text("mine")
    assert init(both, out) == 1
    assert out.read_text() == "mine"
    assert init(both, out, "--force") == 0
    assert out.read_text() != "mine"


def test_what_no_flag_gives_is_asked_of_whoever_sits_there(
    both: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", Terminal("own.yaml\n0.25\n"))
    assert main(["init", "--state", str(both.root)]) == 0
    printed = capsys.readouterr()
    assert "file to write [understudy.yaml]" in printed.err
    assert load_config(tmp_path / "own.yaml", {}).section(RouterConfig).default["student"] == 0.25
    assert f"understudy up --config own.yaml --state {both.root}" in printed.out


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


def test_two_tokenizers_are_allowed_and_what_they_cost_is_said(
    state_dir: StateDir, made: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_model(state_dir, made, ImportOptions("teacher"), ENGINES, silent)
    other = json.loads((model / "tokenizer.json").read_text())
    other["added_tokens"].append({**other["added_tokens"][0], "id": 320, "content": "<|other|>"})
    (model / "tokenizer.json").write_text(json.dumps(other))
    import_model(state_dir, model, ImportOptions("student"), ENGINES, silent)
    assert init(state_dir, tmp_path / "x.yaml") == 0
    assert "by the teacher's text alone" in capsys.readouterr().err
    assert "by the teacher's text alone" in (tmp_path / "x.yaml").read_text()
    assert "<|other|>" in load_config(tmp_path / "x.yaml", {}).section(GatewayConfig).control_tokens
    assert init(state_dir, tmp_path / "x.yaml", "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["shared_tokenizer"] is False
