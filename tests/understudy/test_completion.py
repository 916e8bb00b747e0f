"""Completion, in the shells themselves where they are installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.waiting import LONG
from understudy.commands import COMMANDS
from understudy.completion import SHELLS, bash, main, words


def completed(line: str) -> list[str]:
    """What bash offers behind `line`."""
    script = f'{bash()}\nCOMP_WORDS=({line} "")\nCOMP_CWORD=$((${{#COMP_WORDS[@]}}-1))\n_understudy\n'
    script += 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=LONG)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_offers_every_command_and_the_actions_of_one() -> None:
    assert {command.words.split()[0] for command in COMMANDS} <= set(completed("understudy"))
    assert {"list", "show", "apply", "assign"} <= set(completed("understudy experiment"))
    assert {"promotion", "learning", "student"} <= set(completed("understudy freeze"))
    assert "promotion" not in completed("understudy freeze promotion")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_can_read_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([shell]) == 0
    script = capsys.readouterr().out
    assert all(first in script for first in words())
    if shutil.which(shell) is None:
        return
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, timeout=LONG)
    assert (done.returncode, done.stderr) == (0, "")
