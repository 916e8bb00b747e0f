"""What the help of a command shows, to be pasted by a test."""

from __future__ import annotations

import contextlib
import re

import pytest

from understudy import cli


def examples(name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The examples of the command of that name: of the overview, then of its own help."""
    command, _ = cli.find(name.split())
    with contextlib.suppress(SystemExit):
        cli.main([*name.split(), "--help"])
    helped = " ".join(capsys.readouterr().out.split())
    one = rf"understudy {name.split()[0]} [^;#]*"
    found = re.search(rf"examples?: ({one}(?:; {one})*)", f"{helped} ")
    own = [part.strip() for part in found[1].split("; ")] if found else []
    return list(dict.fromkeys([command.example, *own]))
