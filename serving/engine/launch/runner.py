"""One engine process from start to end: picks the launcher, starts, waits for health, watches, stops."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from deploy.engines.names import HASHES_VARIABLE
from deploy.routing.document import SlotName
from serving.engine import compat
from serving.engine.config import EnginesConfig, cores_of, served_model
from serving.engine.control import EngineAway, EngineControl, EngineReport
from serving.engine.launch import obstacles
from serving.engine.launch.fork_client import ForkLauncher
from serving.engine.launch.launcher import EngineProcess, Launcher, LaunchFailed, LaunchSpec
from serving.engine.launch.plain import PlainLauncher
from understudy.clock import Clock, monotonic
from understudy.process.scratch import Scratch
from understudy.state import StateDir

log = logging.getLogger("understudy.engine")
POLL = 0.1


class EngineRunner:
    """The engine of `slot`; `key` is for those who ask, `control_key` for this agent."""

    def __init__(
        self,
        slot: SlotName,
        config: EnginesConfig,
        *,
        key: str,
        control_key: str,
        state: StateDir,
        fork_socket: Path | None,
        clock: Clock = monotonic,
        cores: int | None = None,
    ) -> None:
        self.control = EngineControl(config.url(slot), control_key, served_model(slot))
        self._slot = slot
        self._config = config
        self._keys = (key, control_key)
        self._log = state.logs / f"engine-{slot}.log"
        self._scratch = Scratch(state)
        self._cache = state.cache
        self._clock = clock
        self._cpus = cores_of(slot, config, cores or psutil.cpu_count() or 1) if config.on_cpu else ()
        usable = fork_socket is not None and config.launcher != "plain" and config.on_cpu
        self._fork = ForkLauncher(fork_socket) if usable and fork_socket else None
        self._plain = PlainLauncher()
        self._used: Launcher | None = None
        self._seen = clock()

    async def adopt(self) -> EngineReport | None:
        """The state of an engine that an earlier agent left with the fork server; None when there is none.

        One that does not answer to our key is stopped.
        """
        if self._fork is None:
            return None
        with contextlib.suppress(LaunchFailed):
            process = await self._fork.look(self._slot)
            if process is None or process.exit is not None:
                return None
            self._used = self._fork
            with contextlib.suppress(EngineAway):
                return await self.control.state()
            await self.stop()
        return None

    async def start(self, version: str, folder: Path, hashes: Mapping[str, str]) -> int:
        """Start the engine with `version` from `folder` and wait until it is healthy; returns its process id.

        `hashes` are the SHA-256 of its weights by file, with which the engine compares what it reads.

        Raises:
            CannotStart: port, memory or CPU do not allow it.
            LaunchFailed: it could not be started, ended early or took too long.
        """
        launcher = self._used = await self._choose()
        forked = launcher is self._fork
        obstacles.check_cpu(self._config)
        await self._port_free()
        obstacles.check_memory(folder, self._config, forked=forked)
        process = await launcher.start(self._spec(version, folder, hashes))
        deadline = self._config.start_deadline
        limit = self._clock() + deadline
        while not await self.control.healthy():
            found = await launcher.look(self._slot)
            if found is None or found.exit is not None:
                code = "unknown" if found is None else found.exit
                raise LaunchFailed(f"the engine of {self._slot} ended at its start, code {code}: see {self._log}")
            if self._clock() > limit:
                raise LaunchFailed(f"the engine of {self._slot} is not healthy after {deadline:g} s: see {self._log}")
            await asyncio.sleep(POLL)
        self._seen = self._clock()
        return process.pid

    async def _port_free(self) -> None:
        """Wait a moment for a former engine to let go of the port; then CannotStart."""
        limit = self._clock() + self._config.stop_grace
        while True:
            try:
                return obstacles.check_port(self._slot, self._config)
            except obstacles.CannotStart:
                if self._clock() > limit:
                    raise
            await asyncio.sleep(POLL)

    def _spec(self, version: str, folder: Path, hashes: Mapping[str, str]) -> LaunchSpec:
        return LaunchSpec(
            slot=self._slot,
            argv=compat.argv(self._slot, str(folder.absolute()), self._config),
            env={
                **compat.environment(self._slot, version, *self._keys, self._cpus),
                HASHES_VARIABLE: json.dumps(dict(hashes)),
                **compat.folders(self._scratch.emptied(self._slot), self._cache),
            },
            cpus=self._cpus,
            log=str(self._log.absolute()),
        )

    async def process(self) -> EngineProcess | None:
        """The living process; None when it ended or its launcher is away."""
        if self._used is None:
            return None
        with contextlib.suppress(LaunchFailed):
            found = await self._used.look(self._slot)
            return found if found is not None and found.exit is None else None
        return None

    async def trouble(self) -> str | None:
        """Why the engine must be restarted: it ended, or has not answered for too long. None: all is well."""
        if await self.process() is None:
            return "the engine process has ended"
        if await self.control.healthy():
            self._seen = self._clock()
        elif self._clock() - self._seen > self._config.hang_deadline:
            return f"the engine has not answered for {self._config.hang_deadline:g} s"
        return None

    async def drained(self, called_off: Callable[[], bool]) -> bool:
        """Wait until nothing is in flight; False when that takes too long or the wait is called off."""
        limit = self._clock() + self._config.drain_deadline
        while (await self.control.state()).in_flight:
            if self._clock() > limit or called_off():
                return False
            await asyncio.sleep(POLL / 2)
        return True

    async def stop(self) -> None:
        """End the engine; one whose launcher is gone has ended with it."""
        if self._used is None:
            return
        try:
            await self._used.stop(self._slot, self._config.stop_grace)
        except LaunchFailed as error:
            log.warning("%s: %s", self._slot, error.message)
        self._used = None
        self._scratch.drop(self._slot)

    async def memory(self) -> int | None:
        """Proportional memory of the engine's processes in bytes."""
        found = await self.process()
        return await asyncio.to_thread(_pss, found.pid) if found else None

    async def end(self) -> None:
        """The agent stops: a forked engine stays for the next agent, a plain one ends."""
        if self._used is self._plain:
            await self.stop()
        await self.control.aclose()

    async def _choose(self) -> Launcher:
        """The fork server when it answers in time, else the plain start."""
        if self._fork is None:
            return self._plain
        began = self._clock()
        while (presence := await self._fork.presence()) != "ready":
            patience = self._config.fork_wait if presence == "absent" else self._config.start_deadline
            if self._clock() - began > patience:
                if self._config.launcher == "fork":
                    raise LaunchFailed("the fork server does not answer, and engines.launcher allows nothing else")
                log.warning("%s: the fork server does not answer; starting plainly, which is slower", self._slot)
                return self._plain
            await asyncio.sleep(0.25)
        await self._fork.stop(self._slot, self._config.stop_grace)
        return self._fork


def _pss(pid: int) -> int:
    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    return total
