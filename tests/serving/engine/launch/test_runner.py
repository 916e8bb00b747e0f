"""One engine process from start to end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from deploy.registry.manifest import weight_hashes
from serving.engine.config import EnginesConfig
from serving.engine.launch.runner import EngineRunner
from tests.engines import EARLIER, LATER, Engines
from tests.waiting import eventually_async
from trials.system import free_ports
from understudy.state import StateDir

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]


async def test_without_a_fork_server_an_engine_starts_plainly_and_leaves_nothing(
    engines: Engines, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    ports = {"teacher": 1, "student-a": 2, "student-b": port}
    config = EnginesConfig.model_validate({"ports": ports, "launcher": "auto", "fork_wait": 0, "start_deadline": 300})
    runner = EngineRunner(
        "student-b", config, key="k", control_key="c", state=StateDir(tmp_path), fork_socket=tmp_path / "no.sock"
    )
    try:
        hashes = {v: weight_hashes(engines.registry.manifest(v)) for v in (EARLIER, LATER)}
        pid = await runner.start(EARLIER, engines.registry.path(EARLIER), hashes[EARLIER])
        state = await runner.control.state()
        assert (state.version, state.open) == (EARLIER, False)
        await runner.control.load(str(engines.registry.path(LATER)), LATER, hashes[LATER], 60)
        assert (await runner.control.state()).version == LATER
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        shared = in_shared_memory(family)
        os.kill(pid, signal.SIGKILL)
        _, alive = await asyncio.to_thread(psutil.wait_procs, family, 60)
        assert not alive, alive
        assert shared
        await eventually_async(lambda: not any(path.exists() for path in shared), what="the end of shared memory")
        assert await runner.trouble() == "the engine process has ended"
    finally:
        await runner.stop()
        await runner.end()


def in_shared_memory(processes: list[psutil.Process]) -> set[Path]:
    """Files in shared memory that these processes have mapped."""
    mapped = (Path(part.path) for process in processes for part in process.memory_maps())
    return {path for path in mapped if path.parent == Path("/dev/shm")}
