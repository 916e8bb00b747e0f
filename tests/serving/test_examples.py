"""What help shows can be pasted: every example that ends by itself is run against a control plane that runs."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path

import pytest

from serving.control.client import URL_ENV
from tests.serving.conftest import ROOT, Control
from understudy import cli
from understudy.commands import COMMANDS, Command

ENDLESS = {"up", "serve", "engine", "worker", "train", "controller"}
"""Roles; their own tests start them with the words of their examples."""
ELSEWHERE = {
    "bench", "replay", "rounds repeat", "rounds attribute", "doctor", "models check", "models import", "models cut",
    "init", "experiment plan", "experiment export", "guard flagged", "guard tune",
}  # fmt: skip
"""Measurements; what asks for a gateway, a finished round, flagged requests or figures of the past, or says what this
machine lacks; and what asks for a model of one's own, which the test of their page brings."""


def shown(command: Command, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The examples of a command: of the overview, and of its own help."""
    with contextlib.suppress(SystemExit):
        cli.main([*command.words.split(), "--help"])
    helped = " ".join(capsys.readouterr().out.split())
    found = re.search(r"examples?: (understudy [^;#]*)", helped)
    return [command.example, *([found[1].strip()] if found else [])]


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c.words not in ENDLESS | ELSEWHERE], ids=lambda command: command.words
)
def test_examples_work_when_pasted(
    command: Command,
    control: Control,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    control.ready()
    control.call("POST", "/resume", json={"what": "promotion"})
    for name, value in control.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(URL_ENV)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / ".understudy").symlink_to(control.state.root)
    monkeypatch.setattr("time.sleep", _stop)
    for example in dict.fromkeys(shown(command, capsys)):
        live = control.call("GET", "/status").json()["live"]["student"]
        other = {"v1": "v2", "v2": "v1"}[live]
        words = [other if re.fullmatch(r"v\d", word) else word for word in shlex.split(example)[1:]]
        with contextlib.suppress(KeyboardInterrupt):
            code = cli.main(words)
            told = capsys.readouterr()
            assert code in (0, cli.INTERRUPTED), f"{example}: {told.err or told.out}"


def _stop(_: float) -> None:
    """Ctrl-C where a command would wait."""
    raise KeyboardInterrupt
