"""Asks the fork server; one short connection for each question, so that either side may restart."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any, Literal

from serving.engine.launch.launcher import EngineProcess, LaunchFailed, LaunchSpec
from understudy.process.scratch import Scratch
from understudy.state import StateDir

LONGEST = 100
"""Bytes of a Unix socket's path that every system takes."""
DEADLINE = 10.0
POLL = 0.05
PATIENCE = 3.0
"""Seconds without an answer, after which a fork server that took the connection counts as starting."""
Presence = Literal["ready", "starting", "absent"]


def fork_socket(state: StateDir) -> Path:
    """Where the fork server of a state directory listens; elsewhere when that path is too long for a socket."""
    path = (state.run / "fork.sock").absolute()
    if len(os.fsencode(path)) <= LONGEST:
        return path
    return Scratch(state).folder / path.name


class ForkLauncher:
    """`Launcher` by the fork server behind the socket `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def start(self, spec: LaunchSpec) -> EngineProcess:
        """Fork an engine."""
        answer = await self._ask({"op": "fork", "spec": spec.to_json()})
        return EngineProcess(spec.slot, int(answer["pid"]))

    async def look(self, slot: str) -> EngineProcess | None:
        """The slot's process as the fork server knows it; adopts what an earlier agent started."""
        found = (await self._ask({"op": "list"}))["engines"].get(slot)
        return EngineProcess(slot, found["pid"], found["exit"]) if found else None

    async def stop(self, slot: str, grace: float) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds, to the process group."""
        for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, DEADLINE)):
            process = await self.look(slot)
            if process is None or process.exit is not None:
                return
            await self._ask({"op": "kill", "slot": slot, "signal": int(number)})
            limit = asyncio.get_running_loop().time() + wait
            while asyncio.get_running_loop().time() < limit:
                process = await self.look(slot)
                if process is None or process.exit is not None:
                    return
                await asyncio.sleep(POLL)
        raise LaunchFailed(f"the engine of {slot} does not end, not even by SIGKILL: look at its process")

    async def presence(self) -> Presence:
        """Whether the fork server answers, is there but still importing, or is not there."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ask({"op": "list"})
        except TimeoutError:
            return "starting"
        except LaunchFailed:
            return "absent"
        return "ready"

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(DEADLINE):
                reader, writer = await asyncio.open_unix_connection(str(self._path))
                try:
                    writer.write(json.dumps(message).encode() + b"\n")
                    line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise LaunchFailed(f"the fork server at {self._path} does not answer: {error}") from None
        if not line:
            raise LaunchFailed(f"the fork server at {self._path} closed the connection")
        answer: dict[str, Any] = json.loads(line)
        if not answer.get("ok"):
            raise LaunchFailed(f"the fork server refused: {answer.get('error')}")
        return answer
