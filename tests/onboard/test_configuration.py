"""The configuration that `init` writes is one that `up` takes, and fits the models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.life.config import GateConfig, RolloutConfig
from deploy.routing.document import SLOTS, RouterConfig
from onboard.cutting import cut
from onboard.importing import ImportOptions, import_model
from online_distill.role.config import TrainerConfig
from serving.engine.config import EnginesConfig
from serving.gateway.config import GatewayConfig
from serving.up.config import UpConfig
from serving.up.launch import plan
from serving.up.memory import too_large, versions_to_load
from serving.up.options import UpOptions
from tests.onboard.conftest import ENGINES
from tests.onboard.models import SPECIAL
from tests.onboard.stages import silent
from tests.onboard.typed import init
from trials.system import ROOT
from understudy.config import load_config
from understudy.state import StateDir


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
    config, default = load_config(out, {}), GateConfig()
    gate = config.section(GateConfig)
    assert (gate.fit_agreement, gate.fit_rows) == (default.fit_agreement, default.fit_rows)
    measured = load_config(ROOT / "examples" / "smollm2" / "understudy.yaml", {}).section(TrainerConfig)
    written = config.section(TrainerConfig)
    assert all(getattr(written, key) == getattr(measured, key) for key in ("blend", "replay_share", "learning_rate"))
    assert (written.blend, written.replay_share) == (1.0, 0.0)
    assert "the student is unfit: it learns from copies and answers nobody" in out.read_text()


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


def test_a_teacher_that_is_an_api_is_written_without_its_key(
    both: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.yaml"
    monkeypatch.setenv("TEACHER_KEY", "sk-secret")
    words = ["--teacher", "https://api.example.com/v1", "--teacher-model", "big", "--daily-tokens", "5000"]
    assert init(both, out, *words, "--teacher-key-env", "TEACHER_KEY", "--student", "v1") == 0
    assert "what it gives" in capsys.readouterr().err
    engines = load_config(out, {}).section(EnginesConfig)
    assert engines.teacher is not None
    assert (engines.teacher.url, engines.teacher.model) == ("https://api.example.com/v1", "big")
    assert (engines.teacher.key, engines.teacher.daily_tokens) == ("sk-secret", 5000)
    assert engines.max_model_len == 512
    assert load_config(out, {}).section(RolloutConfig).first_teacher is None
    assert "sk-secret" not in out.read_text()
    assert plan(UpOptions(both, config=out)).up.application is None
    loads = versions_to_load(both, SLOTS, load_config(out, {}).section(RolloutConfig))
    del loads["teacher"]
    needed = load_config(out, {}).section(UpConfig).min_memory_mib << 20
    assert too_large(loads, engines, needed + (1 << 20)) == []
