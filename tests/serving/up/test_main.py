"""How a run of `up` ends, and the report that it leaves whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from serving.up import main as up
from tests.waiting import LONG
from understudy.errors import Unavailable, UnderstudyError
from understudy.process.children import ROOT


def test_up_ends_at_once_on_a_taken_port_and_leaves_only_its_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text('{"ok": true}')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "understudy", "up", "--state", str(tmp_path / "state"), "--until-swap",
             "--json", str(report)],
            cwd=ROOT, capture_output=True, text=True, timeout=LONG,
            env={**os.environ, "UNDERSTUDY_GATEWAY__PORT": str(number)},
        )  # fmt: skip
    assert done.returncode == 1
    assert f"port {number}" in done.stderr
    assert f"port {number}" in json.loads(report.read_text())["why"]
    assert not (tmp_path / "state" / "run" / "addresses.json").exists()


def test_up_with_a_wrong_configuration_starts_nothing_and_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("up: {rate: -1}\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "up", "--state", str(tmp_path / "state"), "--config", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=LONG,
    )  # fmt: skip
    assert done.returncode == 2
    assert "up.rate" in done.stderr


def test_the_report_is_always_that_of_this_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.json"
    file.write_text('{"ok": true}')
    words = ["--state", str(tmp_path / "state"), "--until-swap", "--json", str(file)]
    ends = iter([asyncio.CancelledError(), Unavailable("no reply within 240 s")])
    meanwhile = []

    async def run(self: up.Up) -> int:
        meanwhile.append(json.loads(file.read_text()))
        raise next(ends)

    monkeypatch.setattr(up.Up, "run", run)
    with pytest.raises(asyncio.CancelledError):
        up.main(words)
    assert "interrupted" in json.loads(file.read_text())["why"]
    with pytest.raises(Unavailable):
        up.main(words)
    assert [report["ok"] for report in meanwhile] == [False, False]
    assert json.loads(file.read_text())["why"] == "no reply within 240 s"


def test_a_report_that_cannot_be_written_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnderstudyError, match=r"report .*file/report\.json cannot be written"):
        up.main(["--state", str(tmp_path), "--until-swap", "--json", str(tmp_path / "file" / "report.json")])


def test_the_command_that_is_printed_can_be_run_as_it_stands(tmp_path: Path) -> None:
    plan = SimpleNamespace(gateway="http://127.0.0.1:8000", control="http://127.0.0.1:8001")
    said = up.greeting(plan, tmp_path / "my state", 3.0)
    (words,) = [shlex.split(text)[2:] for text in said.splitlines() if "go back" in text]
    assert words[-2:] == ["--state", str(tmp_path / "my state")]
    done = subprocess.run([*words, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=LONG, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(words[0]).parent == Path(sys.executable).parent
