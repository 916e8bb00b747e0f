"""`scripts/test` runs two lanes at once: both are shown, one that fails fails all, and what takes long starts once."""

from __future__ import annotations

import re
import runpy
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.waiting import LONG, eventually

HERE = Path(__file__).resolve()
ROOT = HERE.parent.parent
LOADED = "import runpy, sys; sys.exit(runpy.run_path('scripts/test')['beside'](*sys.argv[1:]))"


@pytest.mark.parametrize(
    ("shown", "kept", "code"),
    [("true", "true", 0), ("exit 3", "true", 3), ("true", "false && echo never", 1), ("exit 3", "exit 4", 3)],
)
def test_it_fails_when_either_lane_does(shown: str, kept: str, code: int) -> None:
    command = [sys.executable, "-c", LOADED, f"echo first; {shown}", f"echo second; {kept}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONG)
    assert done.returncode == code, done.stdout + done.stderr
    assert {"first", "second", "--- the end of the second lane"} <= set(done.stdout.splitlines())
    assert "never" not in done.stdout.splitlines()


def test_a_sigterm_lets_both_lanes_end_in_order(tmp_path: Path) -> None:
    ends = "import pathlib, sys, time\ntry:\n    pathlib.Path(sys.argv[1]).touch()\n    time.sleep(60)\n"
    ends += "except KeyboardInterrupt:\n    print('ended in order', sys.argv[1])\n"
    begun = [tmp_path / "first", tmp_path / "second"]
    lanes = [shlex.join([sys.executable, "-c", ends, str(path)]) for path in begun]
    niced = runpy.run_path(str(ROOT / "scripts" / "test"))["niced"](lanes[1])
    lanes[1] = f"{niced}; code=$?; touch {tmp_path}/never; exit $code"
    process = subprocess.Popen([sys.executable, "-c", LOADED, *lanes], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    eventually(lambda: all(path.exists() for path in begun), 60, "both lanes")
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=LONG)
    assert [f"ended in order {path}" in said for path in begun] == [True, True]
    assert not (tmp_path / "never").exists()


def test_engines_start_in_the_first_lane_alone_and_kafka_in_the_second() -> None:
    lanes = runpy.run_path(str(ROOT / "scripts" / "test"))
    second = [one for name in ("LIGHT", "OWN") for one in files(lanes[name])]
    assert all(any(one.name.startswith("test_") for one in files([path])) for path in lanes["LIGHT"] + lanes["OWN"])
    asking = re.compile(r"^from tests\.engines import|mark\.(engines|loop)", re.MULTILINE)
    assert [path for path in second if asking.search(path.read_text("utf-8"))] == []
    kafka = re.compile(r"mark\.kafka|def test_.*kafka_servers", re.MULTILINE)
    asked = {path for path in files(["tests"]) if path != HERE and kafka.search(path.read_text("utf-8"))}
    assert asked
    assert asked <= set(second) - set(files(lanes["LIGHT"]))


def files(paths: Iterable[str]) -> list[Path]:
    return [one for path in paths for one in ([ROOT / path] if path.endswith(".py") else (ROOT / path).rglob("*.py"))]
