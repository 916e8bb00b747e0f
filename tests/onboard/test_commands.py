"""The commands as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.registry.store import Registry
from tests.onboard.models import change_settings
from understudy.cli import main
from understudy.state import StateDir


def test_check_import_and_cut_as_one_types_them(
    made: Path, state_dir: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ["--state", str(state_dir.root)]
    assert main(["models", "check", str(made), *state]) == 0
    assert "LlamaForCausalLM" in capsys.readouterr().out
    for said in ("t1 registered", "t1 is this model already"):
        assert main(["models", "import", str(made), "--as", "teacher", *state]) == 0
        assert capsys.readouterr().out.strip() == said
    assert main(["models", "cut", "t1", "--layers", "3", "--as", "student", *state]) == 0
    assert capsys.readouterr().out.strip() == "v1 registered, unfit: 3 of 6 layers of t1"
    assert main(["models", "cut", "t1", "--keep", "0,1", *state]) == 0
    assert "v1 is unfit, too, and stays registered: the newest is the one that learns" in capsys.readouterr().out
    assert [m.version for m in Registry(state_dir).versions()] == ["v2", "v1", "t1"]


def test_a_refusal_is_a_message_or_json_and_exit_code_1(
    model: Path, state_dir: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    change_settings(model, architectures=["WonderForCausalLM"])
    for words in (["check"], ["import", "--as", "teacher"]):
        command = ["models", words[0], str(model), *words[1:], "--state", str(state_dir.root)]
        assert main(command) == 1
        assert "WonderForCausalLM" in capsys.readouterr().err
        assert main([*command, "--json"]) == 1
        printed = json.loads(capsys.readouterr().out)
        assert printed["ok"] is False
        assert printed["error"]["code"] == "model_refused"


def test_with_json_a_program_reads_what_was_done(
    made: Path, state_dir: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ["--state", str(state_dir.root), "--json"]
    assert main(["models", "import", str(made), "--as", "teacher", *state]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["version"], printed["kind"], printed["known"]) == ("t1", "teacher", False)
    assert main(["models", "cut", "t1", "--layers", "2", *state]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["version"], printed["fitness"], printed["layers"]) == ("v1", "unfit", [0, 5])
    assert main(["models", "cut", "t9", "--layers", "2", *state]) == 1
    assert "there are: t1, v1" in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize("words", [["cut", "t1"], ["cut", "t1", "--layers", "2", "--keep", "0"], ["import", "x"]])
def test_wrong_words_are_a_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", *words])
    assert ended.value.code == 2
