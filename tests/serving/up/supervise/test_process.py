"""One child process: its log, its end, and what becomes of it when it takes too long."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from serving.up.supervise.process import TIMED_OUT, Role, environment, open_log, run_once
from understudy.errors import UnderstudyError


def role(code: str, **more: object) -> Role:
    return Role("one", (sys.executable, "-c", code), 0, **more)


async def test_a_run_gives_its_exit_code_and_leaves_its_output_in_the_log(tmp_path: Path) -> None:
    said = role(
        "import os, sys; print(os.environ['WORD']); print('bad', file=sys.stderr); sys.exit(3)", env={"WORD": "x"}
    )
    assert await run_once(said, tmp_path) == 3
    assert (tmp_path / "one.log").read_text().split() == ["x", "bad"]


async def test_a_run_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    assert await run_once(role("import time; time.sleep(60)"), tmp_path, 0.3) == TIMED_OUT


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnderstudyError, match="no-such-program"):
        await run_once(Role("one", ("no-such-program",), 0), tmp_path)


def test_a_log_is_appended_to_wherever_its_end_is_by_then(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "one.log"
    with open_log(path) as log:
        log.write(b"before")
        log.flush()
        path.write_bytes(b"")
        log.write(b"after")
    assert path.read_bytes() == b"after"


def test_children_find_this_checkout_before_a_folder_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    found = environment()
    assert found["PYTHONPATH"].endswith(":elsewhere")
    assert found["PYTHONSAFEPATH"] == "1"
