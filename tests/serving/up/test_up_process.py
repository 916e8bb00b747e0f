"""`understudy up` as a process: however it ends, nothing is left and the state can be used again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from demo.install import MODELS
from deploy.routing.document import SLOTS
from serving.up.main import INTERRUPTED
from tests.waiting import eventually
from trials.system import free_ports
from understudy.process.children import ROOT
from understudy.process.scratch import Scratch
from understudy.state import StateDir

ROLE_SECONDS, STOP_SECONDS = 60.0, 90.0

Begin = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts the `up` of the checkout `root` on free ports, its output in `log`; none outlives the test.

    Its home and the temporary folder that it is given are empty after the test, as they were before.
    """
    begun = []
    folders = {name: tmp_path / name for name in ("HOME", "TMPDIR")}
    for folder in folders.values():
        folder.mkdir()

    def start(state: Path, log: Path, root: Path = ROOT) -> subprocess.Popen[bytes]:
        gateway, control, *ports = free_ports(5)
        settings = {
            "GATEWAY__PORT": gateway, "CONTROL__PORT": control, "UP__MIN_MEMORY_MIB": 0,
            "ENGINES__PORTS": json.dumps(dict(zip(SLOTS, ports, strict=True))),
        }  # fmt: skip
        env = {**os.environ, **{name: str(folder) for name, folder in folders.items()}}
        env |= {f"UNDERSTUDY_{name}": str(value) for name, value in settings.items()}
        command = [sys.executable, "-m", "understudy", "up", "--state", str(state), "--no-traffic"]
        with log.open("wb") as out:
            begun.append(subprocess.Popen(command, cwd=root, env=env, stdout=out, stderr=subprocess.STDOUT))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()
    assert [path for folder in folders.values() for path in folder.iterdir()] == []


def running(state: Path) -> dict[str, int]:
    """Process ids by role, as `up` wrote them down."""
    rows = json.loads((state / "run" / "processes.json").read_text())
    return {name: int(pid) for name, (pid, _) in rows.items()}


def started(state: Path, process: subprocess.Popen[bytes], names: set[str], former: dict[str, int]) -> dict[str, int]:
    """Wait for the roles `names`, others than the `former` ones; returns process ids by role."""

    def there() -> bool:
        pids = running(state)
        return names <= pids.keys() and not set(pids.values()) & set(former.values())

    eventually(lambda: process.poll() is not None or there(), ROLE_SECONDS, f"the start of {names}")
    assert process.poll() is None
    return running(state)


def check_gone(pids: dict[str, int], state: Path) -> None:
    """Fail unless all of `pids`, and whatever names the state directory, ends in time."""

    def left() -> list[list[str]]:
        found = psutil.process_iter(["cmdline", "pid", "status"])
        return [process.info["cmdline"] for process in found if ours(process, pids, state)]

    eventually(lambda: not left(), STOP_SECONDS, "the end of every process")


def ours(process: psutil.Process, pids: dict[str, int], state: Path) -> bool:
    if process.info["status"] == psutil.STATUS_ZOMBIE:
        return False
    return process.info["pid"] in pids.values() or str(state) in " ".join(process.info["cmdline"] or [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_its_start_nothing_is_left_and_the_next_one_starts(
    begin: Begin, tmp_path: Path, number: signal.Signals
) -> None:
    state, log = tmp_path / "状态", tmp_path / "log"
    scratch = Scratch(StateDir(state)).folder
    process = begin(state, log)
    pids = started(state, process, {"redis", "forkserver"}, {})
    assert [path.stat().st_mode & 0o777 for path in (state, state / "run/addresses.json")] == [0o700, 0o600]
    (scratch / "teacher").mkdir(exist_ok=True)
    (scratch / "teacher" / "left").touch()
    process.send_signal(number)
    expected = INTERRUPTED if number != signal.SIGKILL else -number
    assert process.wait(STOP_SECONDS) == expected, log.read_text()
    check_gone(pids, state)
    again = begin(state, log)
    newer = started(state, again, {"redis"}, pids)
    assert not (scratch / "teacher" / "left").exists()
    again.send_signal(signal.SIGINT)
    assert again.wait(STOP_SECONDS) == INTERRUPTED, log.read_text()
    check_gone(newer, state)
    assert not scratch.exists()


def test_without_the_demo_models_nothing_starts_and_each_is_named(begin: Begin, tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    for package in ("understudy", "ab", "feedback", "deploy", "serving", "demo"):
        left_out = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(ROOT / package, root / package, ignore=left_out)
    process = begin(tmp_path / "state", tmp_path / "log", root)
    assert process.wait(STOP_SECONDS) == 1
    said = (tmp_path / "log").read_text()
    assert all(f"demo/{model.folder}/model.safetensors is missing" in said for model in MODELS)
    assert not (tmp_path / "state" / "run" / "processes.json").exists()
