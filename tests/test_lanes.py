"""`scripts/test` runs two lanes at once: both are shown, one that fails fails all, and engines start in one alone."""

from __future__ import annotations

import re
import runpy
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent
LOADED = "import runpy, sys; sys.exit(runpy.run_path('scripts/test')['beside'](*sys.argv[1:]))"


@pytest.mark.parametrize(
    ("shown", "kept", "code"),
    [("true", "true", 0), ("exit 3", "true", 3), ("true", "false && echo never", 1), ("exit 3", "exit 4", 3)],
)
def test_it_fails_when_either_lane_does(shown: str, kept: str, code: int) -> None:
    command = [sys.executable, "-c", LOADED, f"echo first; {shown}", f"echo second; {kept}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    assert {"first", "second", "--- the end of the second lane"} <= set(done.stdout.splitlines())
    assert "never" not in done.stdout.splitlines()


def test_a_sigterm_lets_both_lanes_end_in_order(tmp_path: Path) -> None:
    ends = "import pathlib, sys, time\ntry:\n    pathlib.Path(sys.argv[1]).touch()\n    time.sleep(60)\n"
    ends += "except KeyboardInterrupt:\n    print('ended in order', sys.argv[1])\n"
    begun = [tmp_path / "first", tmp_path / "second"]
    lanes = ["exec " + shlex.join([sys.executable, "-c", ends, str(path)]) for path in begun]
    process = subprocess.Popen([sys.executable, "-c", LOADED, *lanes], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    eventually(lambda: all(path.exists() for path in begun), 60, "both lanes")
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert [f"ended in order {path}" in said for path in begun] == [True, True]


def test_no_test_of_the_second_lane_asks_for_engines() -> None:
    light = [ROOT / path for path in runpy.run_path(str(ROOT / "scripts" / "test"))["LIGHT"]]
    found = [[path] if path.is_file() else list(path.rglob("*.py")) for path in light]
    assert all(any(path.name.startswith("test_") for path in paths) for paths in found)
    asking = re.compile(r"^from tests\.engines import|mark\.(engines|loop|kafka)", re.MULTILINE)
    assert [path for paths in found for path in paths if asking.search(path.read_text("utf-8"))] == []
