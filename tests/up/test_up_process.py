"""`understudy up` as a process: however it ends while it starts, nothing is left and the state can be used again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from feedback.redis_server import free_port
from serving.up.preflight import ROOT


def begin(state: Path) -> subprocess.Popen[str]:
    """Start `up` on free ports."""
    settings = {"GATEWAY__PORT": free_port(), "CONTROL__PORT": free_port(), "UP__MIN_MEMORY_MIB": 0}
    ports = {slot: free_port() for slot in ("teacher", "student-a", "student-b")}
    env = {**os.environ, **{f"UNDERSTUDY_{name}": str(value) for name, value in settings.items()}}
    env["UNDERSTUDY_ENGINES__PORTS"] = json.dumps(ports)
    return subprocess.Popen(
        [sys.executable, "-m", "understudy", "up", "--state", str(state), "--no-traffic"],
        cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def started(state: Path, process: subprocess.Popen[str], names: set[str], former: dict[str, int]) -> dict[str, int]:
    """Wait for the roles `names`, others than the `former` ones; returns process ids by role."""
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            rows = json.loads((state / "run" / "processes.json").read_text())
        except (OSError, ValueError):
            rows = {}
        pids = {name: int(pid) for name, (pid, _) in rows.items()}
        if names <= pids.keys() and not set(pids.values()) & set(former.values()):
            return pids
        time.sleep(0.05)
    raise TimeoutError(f"{names} did not start")


def check_gone(pids: dict[str, int], state: Path, seconds: float = 15) -> None:
    """Fail unless all of `pids`, and whatever names the state directory, ends in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        left = [p.info["cmdline"] for p in psutil.process_iter(["cmdline", "pid", "status"]) if ours(p, pids, state)]
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"left running: {left}")


def ours(process: psutil.Process, pids: dict[str, int], state: Path) -> bool:
    if process.info["status"] == psutil.STATUS_ZOMBIE:
        return False
    return process.info["pid"] in pids.values() or str(state) in " ".join(process.info["cmdline"] or [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_it_nothing_is_left_and_the_next_one_starts(tmp_path: Path, number: signal.Signals) -> None:
    state = tmp_path / "状态"
    process = begin(state)
    pids = started(state, process, {"redis", "forkserver"}, {})
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == (0 if number != signal.SIGKILL else -number), out
    check_gone(pids, state)
    again = begin(state)
    newer = started(state, again, {"redis"}, pids)
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=30)
    assert again.returncode == 0
    check_gone(newer, state)
