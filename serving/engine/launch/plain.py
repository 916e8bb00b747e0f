"""The plain start: one fresh process for each engine. The only way on a GPU, and the fallback elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from serving.engine import compat
from serving.engine.launch.launcher import EngineProcess, LaunchFailed, LaunchSpec, signal_engine
from understudy.process.lifeline import die_with_parent

TIDY = 2.0
"""Seconds for what outlives an engine process by itself."""


class PlainLauncher:
    """`Launcher` by `python -m serving.engine.launch.plain`; its engines die with this process."""

    def __init__(self) -> None:
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._ends: dict[str, asyncio.Task[None]] = {}

    async def start(self, spec: LaunchSpec) -> EngineProcess:
        """Start a fresh interpreter which ties itself to this process and then becomes the engine."""
        known = self._processes.get(spec.slot)
        if known is not None and known.returncode is None:
            raise LaunchFailed(f"slot {spec.slot} still has the process {known.pid}")
        command = [sys.executable, "-m", "serving.engine.launch.plain", str(os.getpid()), json.dumps(list(spec.argv))]
        try:
            with open_log(Path(spec.log)) as output:
                process = await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                    env={**os.environ, **spec.env, "PYTHONPATH": python_path()}, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            raise LaunchFailed(f"cannot start the engine of {spec.slot}: {error}") from None
        self._processes[spec.slot] = process
        self._ends[spec.slot] = asyncio.create_task(sweep(process))
        return EngineProcess(spec.slot, process.pid)

    async def look(self, slot: str) -> EngineProcess | None:
        """The process that this launcher started."""
        process = self._processes.get(slot)
        return EngineProcess(slot, process.pid, process.returncode) if process else None

    async def stop(self, slot: str, grace: float) -> None:
        """SIGTERM, then SIGKILL to the process group after `grace` seconds; nothing to one that has ended."""
        process = self._processes.get(slot)
        if process is None:
            return
        if process.returncode is None:
            signal_engine(process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace)
        if process.returncode is None:
            process.kill()
        await self._ends[slot]


async def sweep(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a process, a moment for the rest of its group, and kill what is still there then.

    The rest ends with the process; what stays a little longer is Python's tracker of shared memory, which removes
    what the killed have left there. Once the group is empty its number is free, and gets no signal.
    """
    await process.wait()
    limit = asyncio.get_running_loop().time() + TIDY
    with contextlib.suppress(ProcessLookupError):
        while asyncio.get_running_loop().time() < limit:
            os.killpg(process.pid, 0)
            await asyncio.sleep(TIDY / 100)
        signal_engine(process.pid, signal.SIGKILL)


def open_log(path: Path) -> BinaryIO:
    """The file `path` for appending, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def python_path() -> str:
    """PYTHONPATH under which a child finds this checkout."""
    root = str(Path(__file__).resolve().parents[3])
    return os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)


def main() -> None:
    """Become an engine: `python -m serving.engine.launch.plain PARENT_PID ARGV_AS_JSON`."""
    die_with_parent(int(sys.argv[1]))
    compat.serve(json.loads(sys.argv[2]))


if __name__ == "__mp_main__":
    # The engine core and its workers are spawned, and a spawned process imports this module first.
    die_with_parent()
if __name__ == "__main__":
    main()
