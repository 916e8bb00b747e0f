"""Wrong configuration: the message names the path, what was given, what is allowed and where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from understudy.cli import main
from understudy.config import SECTIONS, config_for, load_config, section_kind, without_password
from understudy.errors import ConfigError
from understudy.state import StateDir


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
            "`engines.teacher.urll` is not a known key; did you mean `url`? (allowed: api_key_env, daily_tokens,",
        ),
        ({"rollout": {"steps": [{"share": 1, "sahre": 1}]}}, "`rollout.steps.0.sahre` is not a known key; did you"),
        ({"router": {"experiments": [{"id": "a", "arms": {"teacher": 1}, "when": {"q": 1}}]}}, "(allowed: alias,"),
        ({"engines": {"teacher": {"model": "m"}}}, "`engines.teacher.url` is missing"),
        ({"control": 5}, "`control` was given 5: give keys of host, port"),
        ({"engines": {"teacher": "big"}}, "`engines.teacher` was given 'big': give keys of api_key_env, daily_tokens,"),
        ({"router": {"default": "pupil"}}, "`router.default` was given 'pupil': Input should be 'teacher' or"),
        ({"gateway": {"body_seconds": float("inf")}}, "`gateway.body_seconds` was given inf: Input should be a finite"),
        ({"router": {"default": {"student": float("nan")}}}, "`router.default.student` was given nan: Input should be"),
        ({"engines": {"extra_args": {"teacher": "--x"}}}, "`engines.extra_args.teacher` was given '--x': give a list"),
        ({"gateway": {"api_keys": [{"hmac": "0" * 64, "tenant": ""}]}}, "`gateway.api_keys.0.tenant` was given '': "),
        ({"router": {"aliases": {"bot": "gpt"}}}, "`bot` stands for 'gpt'; give auto, teacher, student or student:"),
        ({"bus": {"url": "amqp://x"}}, "`bus.url` was given 'amqp://x': use redis://host:port or kafka://host:port"),
        ({"redis": {"url": "http://x"}}, "`redis.url` was given 'http://x': use redis://"),
        ({"engines": {"ports": {"pupil": 1}}}, "`engines.ports` was given 'pupil': Input should be 'teacher', "),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_named_with_what_is_allowed(tmp_path, raw, sentence) -> None:
    assert sentence in said(tmp_path, raw)


def test_a_refusal_shows_no_password(tmp_path) -> None:
    found = said(tmp_path, {"bus": {"url": "amqp://me:geh@eim@host"}, "redis": {"url": ""}})
    assert "'amqp://host'" in found
    assert without_password("redis://host:1/0?a=b@c") == "redis://host:1/0?a=b@c"


def test_commands_on_files_go_by_the_settings_of_the_system_that_runs_there(tmp_path) -> None:
    state = StateDir(tmp_path)
    state.run.mkdir()
    state.config.write_text("gateway: {port: 5}")
    assert config_for(None, state).raw == {}, "nothing runs: what it ran with is over"
    state.addresses.write_text("{}")
    assert config_for(None, state).raw == {"gateway": {"port": 5}}
    own = tmp_path / "own.yaml"
    own.write_text("gateway: {port: 6}")
    assert config_for(own, state).raw == {"gateway": {"port": 6}}


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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("UNDERSTUDY_GATEWAY_PORT", "UNDERSTUDY_GATEWAY__PORT"),
        ("UNDERSTUDY_GATEWAY_PROT", "UNDERSTUDY_GATEWAY__PORT"),
        ("UNDERSTUDY_REDIS_URL", "UNDERSTUDY_REDIS__URL"),
    ],
)
def test_one_underscore_before_a_field_is_refused_with_the_right_name(name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"environment {name}: .* did you mean `{meant}`"):
        load_config(None, {name: "1"})


def test_variables_of_others_are_left_alone() -> None:
    others = ["ADMIN_URL", "ENGINE_KEY", "REDIS_BINARY", "STATE", "GATEWAY_SERVICE_HOST", "GATEWAY_PORT_8000_TCP_ADDR"]
    env = {f"UNDERSTUDY_{name}": "x" for name in others}
    assert load_config(None, {**env, "UNDERSTUDY_GATEWAY_PORT": "tcp://10.0.0.1:8000"}).raw == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("gateway: {port: 1}\nrouter: {}\ngateway: {port: 2}", "the key `gateway` is given twice"),
        ("gateway: {port: 1, port: 1}", "the key `port` is given twice"),
        ("gateway: " + "[" * 5000, "nested too deeply"),
    ],
)
def test_yaml_that_says_two_things_or_never_ends_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "given.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=why):
        load_config(file, {})


def test_merged_keys_are_no_repetition(tmp_path: Path) -> None:
    file = tmp_path / "given.yaml"
    file.write_text("gateway: &g {port: 1}\ncontrol: {<<: *g, port: 2}\n", "utf-8")
    assert load_config(file, {}).raw["control"] == {"port": 2}


def test_check_warns_of_a_key_that_the_environment_lacks(tmp_path, capsys, monkeypatch) -> None:
    file = tmp_path / "given.yaml"
    file.write_text("engines: {teacher: {url: 'http://a/v1', model: big, api_key_env: TEACHERS_KEY}}\n", "utf-8")
    monkeypatch.delenv("TEACHERS_KEY", raising=False)
    assert main(["config", "check", "--config", str(file)]) == 0
    assert "`engines.teacher.api_key_env` names TEACHERS_KEY, which is not set" in capsys.readouterr().out
    monkeypatch.setenv("TEACHERS_KEY", "k")
    assert main(["config", "check", "--config", str(file), "--json"]) == 0
    assert '"warnings": []' in capsys.readouterr().out


def test_check_warns_of_a_kpi_that_nobody_counts(tmp_path, capsys) -> None:
    file = tmp_path / "given.yaml"
    one = "{id: a, arms: {student: 1}, primary: {kpi: smile}, guardrails: [{kpi: latency_p99, max_ratio: 2}]}"
    file.write_text(f"router: {{experiments: [{one}]}}\n", "utf-8")
    assert main(["config", "check", "--config", str(file)]) == 0
    said = capsys.readouterr().out
    assert ("kpi 'smile', which nobody counts" in said, said.count("warning")) == (True, 1)
    file.write_text(f"router: {{experiments: [{one}]}}\nkpis: {{declared: [smile]}}\n", "utf-8")
    assert main(["config", "check", "--config", str(file)]) == 0
    assert "warning" not in capsys.readouterr().out


def test_check_warns_of_a_kpi_that_no_user_has_by_himself(tmp_path, capsys) -> None:
    file = tmp_path / "given.yaml"
    one = "{id: a, arms: {student: 1}, primary: {kpi: latency_p99}, guardrails: [{kpi: latency_p99, max_ratio: 2}]}"
    file.write_text(f"router: {{experiments: [{one}]}}\n", "utf-8")
    assert main(["config", "check", "--config", str(file)]) == 0
    said = capsys.readouterr().out
    assert ("experiment a" in said, "no user has a latency_p99 of his own" in said, said.count("warning")) == (
        True, True, 1,
    )  # fmt: skip


def test_a_key_that_was_renamed_is_refused_by_its_new_name(tmp_path: Path) -> None:
    now = "is called `rollout.guardrails` now"
    former = ("agreement_margin", "similarity_margin", "max_abnormal_increase", "max_latency_ratio", "min_samples")
    for key in former:
        assert f"`rollout.{key}` {now}" in said(tmp_path, {"rollout": {key: 0.1}})
    name = "UNDERSTUDY_ROLLOUT__AGREEMENT_MARGIN"
    message = said(tmp_path, {}, {name: "0.1"})
    assert now in message
    assert name in message
    one_underscore = said(tmp_path, {}, {"UNDERSTUDY_ROLLOUT_AGREEMENT_MARGIN": "0.1"})
    assert "did you mean `UNDERSTUDY_ROLLOUT__GUARDRAILS`" in one_underscore
    assert "not a known key" in said(tmp_path, {"rollout": {"steps": [{"share": 1, "agreement_margin": 1}]}})
    for former, key in (("general_margin", "margin"), ("min_prompts", "general_rows")):
        assert f"`gate.{former}` is called `gate.{key}` now" in said(tmp_path, {"gate": {former: 1}})


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_has_a_description(name: str) -> None:
    found = section_kind(name).model_json_schema()
    parts = {name: found, **found.get("$defs", {})}
    lacking = [
        f"{part}.{key}"
        for part, told in parts.items()
        for key, said in told.get("properties", {}).items()
        if not said.get("description")
    ]
    assert lacking == []
