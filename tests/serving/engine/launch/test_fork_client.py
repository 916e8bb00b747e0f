"""Where the fork server listens, and what it is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from serving.engine.launch.fork_client import LONGEST, ForkLauncher, fork_socket
from serving.engine.launch.launcher import LaunchFailed, LaunchSpec
from tests.engines import Engines
from understudy.state import StateDir


def test_a_long_state_directory_still_has_a_socket(tmp_path: Path) -> None:
    near, far = StateDir(Path("/s")), StateDir(tmp_path / ("长" * 40))
    assert fork_socket(near) == Path("/s/run/fork.sock")
    assert len(str(fork_socket(far)).encode()) <= LONGEST
    assert fork_socket(far) != fork_socket(StateDir(tmp_path / ("短" * 40)))


@pytest.mark.engines
@pytest.mark.timeout(400)
async def test_a_slot_has_one_process_and_its_exit_is_reported(engines: Engines, tmp_path: Path) -> None:
    launcher = ForkLauncher(fork_socket(engines.state))
    spec = LaunchSpec("wrong", ("--no-such-argument",), {}, (), str(tmp_path / "wrong.log"))
    with pytest.raises(LaunchFailed, match="still has the process"):
        await launcher.start(LaunchSpec("teacher", (), {}, (), str(tmp_path / "log")))
    started = await launcher.start(spec)
    async with asyncio.timeout(180):
        while (found := await launcher.look("wrong")) is None or found.exit is None:
            await asyncio.sleep(0.1)
    assert (found.pid, found.exit) == (started.pid, 2)
    assert "no-such-argument" in (tmp_path / "wrong.log").read_text()


async def test_a_fork_server_that_is_away_is_an_error_with_its_socket(tmp_path: Path) -> None:
    with pytest.raises(LaunchFailed, match=r"gone\.sock"):
        await ForkLauncher(tmp_path / "gone.sock").look("teacher")
