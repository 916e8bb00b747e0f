"""One child process: own session, log file, dies with its parent, stopped by SIGTERM and then by SIGKILL.

`supervisord` and honcho were considered: neither ties children to the death of a killed parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from understudy.errors import UnderstudyError
from understudy.process.children import environment
from understudy.process.lifeline import die_with_parent
from understudy.process.priority import yield_cpu

PYTHON = (sys.executable, "-m")
TIMED_OUT = 124


@dataclass(frozen=True, slots=True)
class Role:
    """What to run: `wave` orders stopping (low first), `nice` is added to the supervisor's own, for its session too."""

    name: str
    argv: tuple[str, ...]
    wave: int
    nice: int = 0
    env: Mapping[str, str] = field(default_factory=dict)


class Child:
    """A running process of a role."""

    def __init__(self, role: Role, process: asyncio.subprocess.Process) -> None:
        self.role = role
        self._process = process

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its session and process group."""
        return self._process.pid

    async def exited(self) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""
        return await self._process.wait()

    async def stop(self, seconds: float) -> None:
        """SIGTERM, then after `seconds` SIGKILL for whatever is left of its session."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), seconds)
        kill_group(self.pid)
        await self._process.wait()


async def spawn(role: Role, logs: Path, env: Mapping[str, str]) -> Child:
    """Start `role` with its output appended to `logs`/NAME.log. Call from the main thread only.

    Raises:
        UnderstudyError: the program could not be started.
    """
    parent = os.getpid()
    try:
        with open_log(logs / f"{role.name}.log") as log:
            process = await asyncio.create_subprocess_exec(
                *role.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**env, **role.env},
                start_new_session=True,
                preexec_fn=lambda: _tie(parent, role.nice),
            )
    except OSError as error:
        what = error.filename or role.argv[0]
        raise UnderstudyError(f"cannot start {role.name}: {what}: {error.strerror}") from error
    return Child(role, process)


async def run_once(role: Role, logs: Path, seconds: float | None = None) -> int:
    """Run `role` to its end, at most `seconds`; returns its exit code. Killed when the caller is cancelled."""
    child = await spawn(role, logs, environment())
    try:
        return await asyncio.wait_for(child.exited(), seconds)
    except TimeoutError:
        return TIMED_OUT
    finally:
        await child.stop(0.0)


def open_log(path: Path) -> BinaryIO:
    """Open a log for appending; `understudy.process.rotation` keeps it short, and others may write to it as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def kill_group(leader: int) -> None:
    """SIGKILL for every process of the group that `leader` led; nothing when there is none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _tie(parent: int, nice: int) -> None:
    die_with_parent(parent, signal.SIGTERM)
    if nice:
        yield_cpu(os.nice(0) + nice)
