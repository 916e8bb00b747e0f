"""The command line: help, dispatch, errors as messages with exit codes."""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys

import pytest

from tests.waiting import LONG
from understudy import __version__
from understudy.cli import find, main, overview
from understudy.commands import COMMANDS, GROUPS
from understudy.errors import UsageError


def test_help_shows_every_command_under_its_group_with_an_example() -> None:
    text = overview()
    for command in COMMANDS:
        assert command.group in GROUPS
        assert command.example in text
        assert f"  {command.words}  " in text, "its help begins where its name ends"
        assert command.example.startswith(f"understudy {command.words.split()[0]}")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.words)
def test_every_command_exists_and_its_help_shows_an_example(command, capsys) -> None:
    module, _, name = command.target.partition(":")
    function = getattr(importlib.import_module(module), name)
    try:
        code = function(["--help"])
    except SystemExit as ended:
        code = ended.code
    assert code == 0
    assert "example" in capsys.readouterr().out.lower()


def test_the_longest_name_wins() -> None:
    command, rest = find(["experiment", "assign", "file.yaml"])
    assert (command.words, rest) == ("experiment assign", ["file.yaml"])
    command, rest = find(["experiment", "list"])
    assert (command.words, rest) == ("experiment", ["list"])


def test_an_unknown_command_names_the_nearest_and_exits_2(capsys) -> None:
    with pytest.raises(UsageError):
        find(["rolback"])
    assert main(["rolback"]) == 2
    assert "did you mean `rollback`?" in capsys.readouterr().err


def test_a_command_like_no_other_is_pointed_to_the_help(capsys) -> None:
    assert main(["bogus"]) == 2
    assert capsys.readouterr().err == "understudy: `bogus` is not a command; `understudy --help` lists them\n"


def test_running_as_a_module_prints_the_version_and_loads_no_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from understudy.cli import main; main(['--version']); "
         "assert 'torch' not in sys.modules and 'vllm' not in sys.modules"],
        capture_output=True, text=True, timeout=LONG,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, f"understudy {__version__}")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["rolback", "--json"], "invalid_usage", "did you mean `rollback`?"),
        (["freeze", "everything", "--json"], "invalid_usage", "invalid choice: 'everything'"),
        (["promote", "--json"], "invalid_usage", "required: version"),
        (["status", "--json", "--state", "/nowhere"], "not_running", "nothing runs on /nowhere"),
        (["audit", "show", "--json", "--state", "/nowhere"], "not_found", "there is no audit log"),
        (["serve", "--json", "--config", "/nowhere.yaml"], "invalid_configuration", "/nowhere.yaml"),
        (["train", "--json", "--config", "/nowhere.yaml"], "invalid_configuration", "/nowhere.yaml"),
    ],
)
def test_with_json_errors_are_json_too(words: list[str], code: str, message: str, capsys, monkeypatch) -> None:
    monkeypatch.delenv("UNDERSTUDY_ADMIN_TOKEN", raising=False)
    assert main(words) in (1, 2)
    told = capsys.readouterr()
    error = json.loads(told.out)["error"]
    assert (error["code"], told.err) == (code, "")
    assert message in error["message"]
    with contextlib.suppress(SystemExit):
        main([word for word in words if word != "--json"])
    assert capsys.readouterr().out == ""


def test_a_command_whose_json_is_a_file_says_its_errors_in_words(capsys, tmp_path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["up", "--json", str(tmp_path / "report.json"), "--rate", "x"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage:")
