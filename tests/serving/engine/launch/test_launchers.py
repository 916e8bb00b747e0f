"""Fork server and plain start: what is asked wrongly, what is left when something dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from serving.engine.config import EnginesConfig
from serving.engine.launch import plain
from serving.engine.launch.fork_client import ForkLauncher, fork_socket
from serving.engine.launch.launcher import LaunchFailed, LaunchSpec
from serving.engine.launch.plain import PlainLauncher
from serving.engine.launch.runner import EngineRunner
from tests.engines import EARLIER, Engines
from tests.waiting import eventually_async
from trials.system import free_ports

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]


def ask(path: Path, raw: bytes) -> dict[str, object]:
    """One line to the fork server, one object back."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(path))
        peer.sendall(raw + b"\n")
        answer: dict[str, object] = json.loads(peer.makefile().readline())
        return answer


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1]",
        b'{"op": "dance"}',
        b'{"op": "fork"}',
        b'{"op": "fork", "spec": {"slot": 1}}',
        b'{"op": "kill"}',
    ],
)
def test_the_fork_server_refuses_nonsense_and_serves_on(engines: Engines, raw: bytes) -> None:
    path = fork_socket(engines.state)
    assert ask(path, raw)["ok"] is False
    assert ask(path, b'{"op": "list"}')["ok"] is True


def test_the_fork_servers_socket_is_its_owners_alone(engines: Engines) -> None:
    assert fork_socket(engines.state).stat().st_mode & 0o077 == 0


async def test_a_slot_has_one_process_and_its_exit_is_reported(engines: Engines, tmp_path: Path) -> None:
    launcher = ForkLauncher(fork_socket(engines.state))
    spec = LaunchSpec("wrong", ("--no-such-argument",), {}, (), str(tmp_path / "wrong.log"))
    with pytest.raises(LaunchFailed, match="still has the process"):
        await launcher.start(LaunchSpec("teacher", (), {}, (), str(tmp_path / "log")))
    started = await launcher.start(spec)
    async with asyncio.timeout(60):
        while (found := await launcher.look("wrong")) is None or found.exit is None:
            await asyncio.sleep(0.1)
    assert (found.pid, found.exit) == (started.pid, 2)
    assert "no-such-argument" in (tmp_path / "wrong.log").read_text()


async def test_a_fork_server_that_is_away_is_an_error_with_its_socket(tmp_path: Path) -> None:
    with pytest.raises(LaunchFailed, match=r"gone\.sock"):
        await ForkLauncher(tmp_path / "gone.sock").look("teacher")


async def test_without_a_fork_server_an_engine_starts_plainly_and_leaves_nothing(
    engines: Engines, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    ports = {"teacher": 1, "student-a": 2, "student-b": port}
    config = EnginesConfig.model_validate({"ports": ports, "launcher": "auto", "fork_wait": 0, "start_deadline": 300})
    runner = EngineRunner(
        "student-b", config, key="k", control_key="c", logs=tmp_path, fork_socket=tmp_path / "no.sock"
    )
    try:
        pid = await runner.start(EARLIER, engines.registry.path(EARLIER))
        state = await runner.control.state()
        assert (state.version, state.open) == (EARLIER, False)
        seconds, _ = await runner.control.load(str(engines.registry.path("v2")), "v2", 60)
        assert seconds < 30
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        os.kill(pid, signal.SIGKILL)
        _, alive = await asyncio.to_thread(psutil.wait_procs, family, 15)
        assert not alive, alive
        assert await runner.trouble() == "the engine process has ended"
    finally:
        await runner.stop()
        await runner.end()


async def test_what_an_engine_leaves_is_killed_at_its_end_and_its_number_never_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, left = asyncio.create_subprocess_exec, tmp_path / "left"

    async def soon_ended(*_: str, **options: Any) -> asyncio.subprocess.Process:
        return await start("sh", "-c", f"sleep 600 & echo $! > {left}; exit 3", **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", soon_ended)
    launcher = PlainLauncher()
    await launcher.start(LaunchSpec("student-a", (), {}, (), str(tmp_path / "log")))
    await eventually_async(lambda: left.is_file() and not running(int(left.read_text() or 1)), what="an empty group")
    found = await launcher.look("student-a")
    assert (found and found.exit) == 3
    signals: list[object] = []
    monkeypatch.setattr(plain, "signal_engine", lambda *sent: signals.append(sent))
    await launcher.stop("student-a", 1.0)
    assert signals == []


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
