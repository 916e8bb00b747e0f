"""Which configuration and state directory `up` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.up.config import UpConfig
from serving.up.launch import plan
from serving.up.options import ROOT, UpOptions, examples, parsed, settings_of
from understudy.config import load_config
from understudy.errors import UsageError
from understudy.state import StateDir


def test_without_words_it_is_the_demo_in_the_usual_directory() -> None:
    options = parsed([])
    assert options.config is None
    assert options.state.root == Path(".understudy").absolute()


def test_an_example_brings_its_configuration_and_a_directory_of_its_own(tmp_path: Path) -> None:
    options = parsed(["--models", "smollm2"])
    assert options.config == ROOT / "examples" / "smollm2" / "understudy.yaml"
    assert options.state.root == Path(".understudy-smollm2").absolute()
    assert parsed(["--models", "smollm2", "--state", str(tmp_path)]).state.root == tmp_path
    assert parsed(["--config", str(options.config)]).state.root == options.state.root


def test_an_unknown_example_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"'smollm3'.*smollm2"):
        parsed(["--models", "smollm3"])
    with pytest.raises(SystemExit):
        parsed(["--models", "smollm2", "--config", "other.yaml"])


@pytest.mark.parametrize("name", examples())
def test_every_example_has_a_valid_configuration_and_its_own_directory(name: str) -> None:
    config = load_config(settings_of(name))
    config.check()
    up = config.section(UpConfig)
    assert up.application == f"examples.{name.partition('/')[0]}"
    assert up.state == ".understudy-" + name.replace("/", "-")


def test_dialogues_of_ones_own_reach_the_application(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    with pytest.raises(UsageError, match="no such file"):
        parsed(["--prompts", str(file)])
    file.touch()
    options = parsed(["--models", "smollm2", "--prompts", str(file), "--state", str(tmp_path / "state")])
    given = plan(options).up.application_options
    assert given == {"layers": 8, "prompts": str(file)}
    assert plan(UpOptions(StateDir(tmp_path / "state"))).up.application_options == {}
