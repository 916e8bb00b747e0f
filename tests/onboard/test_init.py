"""What `init` asks, overwrites and refuses."""

from __future__ import annotations

import io
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.life.config import RolloutConfig
from deploy.routing.document import RouterConfig
from onboard.importing import ImportOptions, import_model
from serving.engine.config import EnginesConfig
from tests.onboard.conftest import ENGINES
from tests.onboard.models import tiny
from tests.onboard.stages import silent
from tests.onboard.typed import init
from tests.pasted import examples
from understudy.cli import main
from understudy.config import load_config
from understudy.state import StateDir


def test_an_existing_file_stays_unless_it_is_forced(both: StateDir, tmp_path: Path) -> None:
    out = tmp_path / "understudy.yaml"
    out.write_text("mine")
    assert init(both, out) == 1
    assert out.read_text() == "mine"
    assert init(both, out, "--force") == 0
    assert out.read_text() != "mine"


Types = Callable[..., None]


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Types:
    """Somebody at the terminal, in a folder of his own, who types these lines."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.chdir(tmp_path)
    return lambda *lines: monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))


def test_what_no_flag_gives_is_asked_of_whoever_sits_there(
    both: StateDir, tmp_path: Path, types: Types, capsys: pytest.CaptureFixture[str]
) -> None:
    types("own.yaml", "0.25")
    assert main(["init", "--state", str(both.root)]) == 0
    printed = capsys.readouterr()
    assert "file to write [understudy.yaml]" in printed.err
    assert load_config(tmp_path / "own.yaml", {}).section(RouterConfig).default["student"] == 0.25
    assert f"understudy up --config own.yaml --state {both.root}" in printed.out


def test_examples_work_when_pasted(
    both: StateDir, tmp_path: Path, types: Types, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".understudy").symlink_to(both.root)
    pasted = examples("init", capsys)
    assert len(pasted) == 3
    for number, example in enumerate(pasted):
        asked = [] if "--out" in example else [f"own-{number}.yaml"]
        if "--teacher-model" in example:
            asked.insert(0, "2000000")
        types(*asked, "0.25")
        for file in tmp_path.glob("*.yaml"):
            file.unlink()
        assert main(shlex.split(example)[1:]) == 0, capsys.readouterr().err
        assert len(list(tmp_path.glob("*.yaml"))) == 1


def test_which_of_several_versions_is_asked_and_the_newest_is_offered(
    both: StateDir, tmp_path: Path, types: Types, capsys: pytest.CaptureFixture[str]
) -> None:
    import_model(both, tiny(tmp_path / "other", seed=2, layers=2), ImportOptions("student"), ENGINES, silent)
    types("", "v1", "own.yaml", "0")
    import_model(both, tiny(tmp_path / "larger", seed=3, layers=4), ImportOptions("teacher"), ENGINES, silent)
    assert main(["init", "--state", str(both.root)]) == 0
    asked = capsys.readouterr().err
    assert "the teacher, one of t2, t1 [t2]" in asked
    assert "the student, one of v2, v1 [v2]" in asked
    chosen = load_config(tmp_path / "own.yaml", {}).section(RolloutConfig)
    assert (chosen.first_teacher, chosen.first_student) == ("t2", "v1")


def test_an_api_s_model_key_and_cap_are_asked_and_the_cap_may_be_none(
    both: StateDir, tmp_path: Path, types: Types, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--teacher", "http://127.0.0.1:9001/v1", "--student-share", "0")
    for name, lines, known in (
        ("capped", ("big", "TEACHER_KEY", "2000000"), ("big", "TEACHER_KEY", 2_000_000)),
        ("free", ("big", "", ""), ("big", "", None)),
    ):
        types(*lines)
        assert init(both, tmp_path / f"{name}.yaml", *words) == 0
        asked = capsys.readouterr().err
        for what in ("name of the model there", "environment variable that holds the API's key", "tokens a day"):
            assert asked.count(what) == 1
        teacher = load_config(tmp_path / f"{name}.yaml", {}).section(EnginesConfig).teacher
        assert teacher is not None
        assert (teacher.model, teacher.api_key_env, teacher.daily_tokens) == known
    for lines, said in ((("",), "give --teacher-model"), (("big", "", "2 million"), "--daily-tokens was given 2 mil")):
        types(*lines)
        assert init(both, tmp_path / "none.yaml", *words) == 2
        assert said in capsys.readouterr().err
    types("big", "", "", "half")
    assert init(both, tmp_path / "none.yaml", *words[:2]) == 2
    assert "--student-share was given half" in capsys.readouterr().err
    assert not (tmp_path / "none.yaml").exists()


def test_what_an_api_lacks_is_named_and_what_is_no_apis_is_refused(
    both: StateDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.yaml"
    for words, said in (
        (("--teacher", "http://127.0.0.1:9001"), "give --teacher-model, a name"),
        (("--teacher", "t1", "--daily-tokens", "9"), "--daily-tokens is of an API"),
        (("--teacher-key-env", "KEY"), "--teacher-key-env is of an API"),
        (("--teacher", "http://127.0.0.1:9001", "--teacher-model", "big", "--daily-tokens", "0"), "at least 1"),
    ):
        assert init(both, out, *words) == 2
        assert said in capsys.readouterr().err
    assert not out.exists()
    assert init(both, out, "--teacher", "http://127.0.0.1:9001", "--teacher-model", "big", "--json") == 0
    assert json.loads(capsys.readouterr().out)["shared_tokenizer"] is None
    engines = load_config(out, {}).section(EnginesConfig)
    assert engines.teacher is not None
    assert (engines.teacher.api_key_env, engines.teacher.daily_tokens) == ("", None)
