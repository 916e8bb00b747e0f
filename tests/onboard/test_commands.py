"""The commands as a user types them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from gguf import GGMLQuantizationType

from deploy.life.config import RolloutConfig
from deploy.registry.store import Registry
from serving.up.options import parsed
from tests.onboard import ggufs
from tests.onboard.models import change_settings, tiny
from trials.system import ROOT
from understudy.cli import main
from understudy.commands import COMMANDS
from understudy.config import load_config
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
        assert printed["error"].keys() == {"message", "type", "param", "code"}, "other commands' errors have these"
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
    assert main(["models", "cut", "t9", "--layers", "2", *state[:2]]) == 1
    assert capsys.readouterr().err.startswith("understudy: version 't9'"), "an empty line came before it"


BOTH = "import sys; from understudy.cli import main; main(sys.argv[1:]); print('|', file=sys.stderr, flush=True); "
BOTH += "sys.exit(main([*sys.argv[1:], '--dtype', 'float32', '--json']))"


def on_a_terminal(words: list[str]) -> tuple[str, str]:
    """What is printed by a command and the same for a program, and what a terminal as standard error gets to see."""
    here, there = os.openpty()
    command, env = [sys.executable, "-c", BOTH, *words], {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)}
    with os.fdopen(here, "rb", 0) as reader, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=there, text=True, env=env
    ) as process:  # fmt: skip
        os.close(there)
        seen = b""
        while block := _read(reader):
            seen += block
        assert process.stdout is not None
        printed = process.stdout.read()
    assert process.returncode == 0, seen.decode()
    return printed, seen.decode()


def _read(reader: IO[bytes]) -> bytes:
    try:
        return reader.read(4096)
    except OSError:  # EIO: nobody holds the other end any more
        return b""


def test_a_terminal_sees_a_bar_for_each_step_and_a_program_json_alone(
    made: Path, state_dir: StateDir, tmp_path: Path
) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", GGMLQuantizationType.Q8_0)
    printed, seen = on_a_terminal(["models", "import", str(file), "--as", "teacher", "--state", str(state_dir.root)])
    first, second = printed.splitlines()
    for_people, for_programs = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).split("|\r\n")
    steps = ["reading", "dequantising", "copying", "fingerprint"]
    assert [step for step in steps if re.search(rf"{step} +━+ +(\d[\d.]*)/\1 ", for_people)] == steps
    assert "%|" not in seen, "a library drew a bar of its own"
    assert first == "t1 registered, dequantised from Q8_0"
    assert json.loads(second)["version"] == "t2"
    assert for_programs == ""


def test_what_is_registered_is_listed_though_nothing_runs(both: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--state", str(both.root)]
    assert main(["models", "cut", "t1", "--layers", "3", *state]) == 0
    capsys.readouterr()
    assert main(["models", "list", *state]) == 0
    rows = [line.split(maxsplit=4) for line in capsys.readouterr().out.splitlines()]
    assert [row[:2] for row in rows] == [["v2", "student"], ["v1", "student"], ["t1", "teacher"]]
    assert rows[0][4] == "unfit: 3 of 6 layers of t1"
    assert rows[1][4].startswith("from ")
    assert rows[1][4].endswith("student")
    assert main(["models", "list", *state, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["versions"]
    assert [(row["version"], row["fitness"]) for row in listed] == [("v2", "unfit"), ("v1", None), ("t1", None)]
    assert listed[0]["bytes"] > 0


def test_the_examples_of_their_help_work_when_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny(tmp_path / "my-model", layers=10)
    pasted = [command.example for command in COMMANDS if command.group == "Bring your own models"]
    assert len(pasted) == 5
    for example in pasted:
        assert main(shlex.split(example)[1:]) == 0, example
    assert (tmp_path / "understudy.yaml").is_file()


def test_the_readmes_commands_bring_a_folder_of_ones_own_to_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny(tmp_path / "my-teacher", layers=10)
    section = (ROOT / "README.md").read_text("utf-8").split("### Your own models", 1)[1]
    *lines, start = section.split("```sh\n", 1)[1].split("```", 1)[0].splitlines()
    assert len(lines) == 4
    for line in lines:
        program, *words = shlex.split(line, comments=True)
        assert program == ".venv/bin/understudy"
        assert main(words) == 0, line
    options = parsed(shlex.split(start)[2:])
    assert (options.config, options.state.root) == (Path("understudy.yaml"), tmp_path / ".mine")
    named = load_config(options.config, {}).section(RolloutConfig)
    assert (named.first_teacher, named.first_student) == ("t1", "v1")
    assert Registry(options.state).manifest("v1").unfit


def test_where_nothing_is_registered_the_way_to_something_is_told(
    state_dir: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "list", "--state", str(state_dir.root)]) == 0
    assert "understudy models import" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["cut", "t1"], ["cut", "t1", "--layers", "2", "--keep", "0"], ["import", "x"]])
def test_wrong_words_are_a_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", *words])
    assert ended.value.code == 2
