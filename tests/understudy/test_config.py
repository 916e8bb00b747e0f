"""Wrong configuration: the message names the path, what was given, what is allowed and where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from understudy.cli import main
from understudy.config import load_config
from understudy.errors import ConfigError


def said(tmp_path: Path, raw: dict[str, Any], env: dict[str, str] | None = None) -> str:
    """The message about a file that holds `raw`, under the environment `env`."""
    file = tmp_path / "given.yaml"
    file.write_text(yaml.safe_dump(raw), "utf-8")
    with pytest.raises(ConfigError) as refused:
        load_config(file, env or {}).check()
    return refused.value.message


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (
            {"engines": {"teacher": {"urll": "http://x", "model": "m"}}},
            "`engines.teacher.urll` is not a known key; did you mean `url`? (allowed: api_key_env, model, url)",
        ),
        ({"rollout": {"steps": [{"share": 1, "sahre": 1}]}}, "`rollout.steps.0.sahre` is not a known key; did you"),
        ({"router": {"experiments": [{"id": "a", "arms": {"teacher": 1}, "when": {"q": 1}}]}}, "(allowed: alias,"),
        ({"engines": {"teacher": {"model": "m"}}}, "`engines.teacher.url` is missing"),
        ({"control": 5}, "`control` was given 5: give keys of host, port"),
        ({"engines": {"teacher": "big"}}, "`engines.teacher` was given 'big': give keys of api_key_env, model, url"),
        ({"router": {"default": "pupil"}}, "`router.default` was given 'pupil': Input should be 'teacher' or"),
        ({"gateway": {"body_seconds": float("inf")}}, "`gateway.body_seconds` was given inf: Input should be a finite"),
        ({"router": {"default": {"student": float("nan")}}}, "`router.default.student` was given nan: Input should be"),
        ({"engines": {"ports": {"pupil": 1}}}, "`engines.ports` was given 'pupil': Input should be 'teacher', "),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_named_with_what_is_allowed(tmp_path, raw, sentence) -> None:
    assert sentence in said(tmp_path, raw)


def test_a_malformed_override_names_its_variable_and_exits_2(monkeypatch, capsys) -> None:
    monkeypatch.setenv("UNDERSTUDY_GATEWAY__HOST", "[::1")
    assert main(["config", "check"]) == 2
    assert "environment UNDERSTUDY_GATEWAY__HOST: not valid YAML" in capsys.readouterr().err


def test_what_the_environment_set_wrongly_is_attributed_to_it_and_nothing_else_is(tmp_path) -> None:
    raw = {"gateway": {"max_body": -1}}
    found = said(tmp_path, raw, {"UNDERSTUDY_GATEWAY__PORT": "99999"}).split("; ")
    assert [line.endswith("(set by UNDERSTUDY_GATEWAY__PORT)") for line in found] == ["99999" in line for line in found]
    nested = said(tmp_path, {}, {"UNDERSTUDY_ROUTER__DEFAULT__TEACHER": "2"})
    assert "UNDERSTUDY_ROUTER__DEFAULT__TEACHER" in nested


def test_an_override_goes_before_the_file_and_leaves_its_neighbours(tmp_path) -> None:
    file = tmp_path / "given.yaml"
    file.write_text("engines: {teacher: {url: 'http://a/v1', model: big}}\n", "utf-8")
    found = load_config(file, {"UNDERSTUDY_ENGINES__TEACHER__URL": "http://b/v1", "UNDERSTUDY_STATE": "/x"})
    assert found.raw == {"engines": {"teacher": {"url": "http://b/v1", "model": "big"}}}
