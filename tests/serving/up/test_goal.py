"""The report of `--until-swap` where there is nothing to measure, and how long a measurement may take."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from serving.up import goal
from serving.up import main as up
from serving.up.config import UpConfig
from serving.up.goal import OVERTIME_SECONDS, REPORT_SECONDS, failed, write_report
from serving.up.options import UpOptions
from serving.up.supervise.process import Role
from understudy.errors import Unavailable, UnderstudyError
from understudy.state import StateDir

SWAPPED = {"before": "v2", "after": "v3", "live_at": 1.0}
OBJECTS = {
    "machine", "versions", "seconds", "requests", "swap", "hard", "agreement", "prefix", "canary", "student_vs_teacher",
}  # fmt: skip
"""Of the report as the interface fixes it, beside `ok`."""


@pytest.mark.parametrize("facts", [None, {"before": "v2", "after": None, "live_at": None}, SWAPPED])
def test_a_failed_report_has_the_keys_of_a_full_one(facts: dict | None) -> None:
    report = failed("no luck", facts)
    assert report.keys() == {"ok", "why", *OBJECTS}
    assert (report["ok"], report["why"]) == (False, "no luck")
    assert all(isinstance(report[name], dict) for name in OBJECTS)
    assert set(report["versions"].values()) <= {"v2", "v3"}


@pytest.mark.parametrize(("left", "granted"), [(1000.0, 1000.0), (0.0, REPORT_SECONDS)])
async def test_the_measurement_gets_what_is_left_of_the_time_out(
    state_dir: StateDir, monkeypatch: pytest.MonkeyPatch, left: float, granted: float
) -> None:
    limits = []

    async def run_once(role: Role, logs: Path, seconds: float) -> int:
        limits.append(seconds)
        return 1

    monkeypatch.setattr(goal, "run_once", run_once)
    options = UpOptions(state_dir, until_swap=True)
    plan = SimpleNamespace(config=state_dir.run / "config.yaml", up=UpConfig())
    assert not await write_report(options, plan, SWAPPED, left, Console(quiet=True))
    assert limits == [granted]
    assert granted < OVERTIME_SECONDS + left
    report = json.loads((state_dir.run / "report.json").read_text())
    assert report["versions"] == {"before": "v2", "after": "v3"}
    assert "report.log" in report["why"]


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
    done = subprocess.run([*words, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(words[0]).parent == Path(sys.executable).parent
