"""What `init` asks, overwrites and refuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from deploy.routing.document import RouterConfig
from serving.engine.config import EnginesConfig
from tests.onboard.typed import init
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
