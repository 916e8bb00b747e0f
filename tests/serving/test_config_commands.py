"""`understudy config`: what is wrong is named by its path, and secrets are not shown."""

from __future__ import annotations

import json

import pytest

from understudy.cli import main
from understudy.config import SECTIONS


def test_a_wrong_configuration_value_names_its_path_and_exits_2(tmp_path, capsys) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("gateway: {port: 99999}\n")
    assert main(["config", "check", "--config", str(file)]) == 2
    said = capsys.readouterr().err
    assert "gateway.port" in said
    assert "99999" in said


def test_an_unknown_key_is_refused_with_the_nearest_that_exists(tmp_path, capsys) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("router: {defualt: teacher}\n")
    assert main(["config", "check", "--config", str(file)]) == 2
    assert "did you mean `default`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("section", "former", "now"),
    [
        ("gate", "general_margin", "margin"),
        ("rollout", "agreement_margin", "guardrails"),
        ("kpis", "targets", "target_bytes"),
    ],
)
def test_a_key_of_an_earlier_release_is_refused_by_its_new_name(section, former, now, tmp_path, capsys) -> None:
    file = tmp_path / "former.yaml"
    file.write_text(f"{section}: {{{former}: 1}}\n")
    assert main(["config", "check", "--config", str(file)]) == 2
    assert f"`{section}.{former}` is called `{section}.{now}` now" in capsys.readouterr().err


def test_config_show_hides_secrets_and_schema_covers_every_section(tmp_path, capsys) -> None:
    file = tmp_path / "given.yaml"
    file.write_text("gateway: {key_secret: open sesame}\n")
    assert main(["config", "show", "--config", str(file), "--json"]) == 0
    shown = capsys.readouterr().out
    assert ('"key_secret": "***"' in shown, "sesame" in shown) == (True, False)
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == set(SECTIONS)
    assert schema["additionalProperties"] is False
    gateway = schema["properties"]["gateway"]["properties"]
    assert gateway["max_concurrent"]["description"].startswith("Completion requests in flight")
