"""Keeps roles alive: starts them, restarts what dies with back-off, and stops all of them in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from serving.up.supervise.leftovers import Ledger
from serving.up.supervise.process import Child, Role, kill_group, spawn
from serving.up.supervise.restarts import Life, Policy, RoleEvent
from understudy.clock import Clock, monotonic
from understudy.errors import UnderstudyError
from understudy.process.children import environment
from understudy.process.rotation import keep_short

log = logging.getLogger("understudy.up")


class Supervisor:
    """Owns the processes of `up`. Every method runs on the event loop of the main thread."""

    def __init__(
        self,
        logs: Path,
        ledger: Ledger,
        policy: Policy,
        stop_seconds: float = 8.0,
        env: Mapping[str, str] | None = None,
        clock: Clock = monotonic,
    ) -> None:
        self._logs = logs
        self._ledger = ledger
        self._policy = policy
        self._stop_seconds = stop_seconds
        self._env = dict(environment() if env is None else env)
        self._clock = clock
        self._lives: dict[str, Life] = {}
        self._children: dict[str, Child] = {}
        self._roles: dict[str, Role] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._short: asyncio.Task[None] | None = None

    @property
    def lives(self) -> dict[str, Life]:
        """State of every role, by name."""
        return dict(self._lives)

    @property
    def pids(self) -> dict[str, int]:
        """Process id of every running role."""
        return {name: child.pid for name, child in self._children.items()}

    async def start(self, role: Role) -> None:
        """Start `role` and keep it alive until it is stopped; one that cannot start is not known afterwards.

        Raises:
            UnderstudyError: the program could not be started.
        """
        self._short = self._short or asyncio.create_task(keep_short(self._logs), name="keep-logs-short")
        self._roles[role.name] = role
        self._take(role.name, "start")
        try:
            await self._spawn(role)
        except BaseException:
            del self._roles[role.name], self._lives[role.name]
            raise
        self._tasks[role.name] = asyncio.create_task(self._watch(role), name=f"watch-{role.name}")

    async def stop(self, name: str) -> None:
        """Stop one role and do not start it again; nothing happens when it is not there."""
        if name not in self._lives or self._lives[name].state == "stopped":
            return
        self._take(name, "stop")
        if self._lives[name].state == "stopped":
            self._tasks[name].cancel()
        elif name in self._children:
            await self._children[name].stop(self._stop_seconds)
        await asyncio.wait([self._tasks[name]])  # a stop that is cancelled here leaves the watch to the next one

    async def stop_all(self) -> None:
        """Stop every role, wave by wave; an error with one keeps no other from being stopped and is raised last."""
        if self._short is not None:
            self._short.cancel()
            self._short = None
        errors: list[BaseException] = []
        for wave in sorted({role.wave for role in self._roles.values()}):
            names = [name for name, role in self._roles.items() if role.wave == wave]
            ends = await asyncio.gather(*(self.stop(name) for name in names), return_exceptions=True)
            errors += [end for end in ends if end is not None]
        if errors:
            raise errors[0]

    def hurry(self) -> None:
        """Kill whatever still runs, at once; for somebody who cannot wait for `stop_all`."""
        for name, child in self._children.items():
            self._take(name, "stop")
            kill_group(child.pid)

    def _take(self, name: str, event: RoleEvent) -> None:
        life = self._lives.get(name, Life())
        self._lives[name] = life.after(event, self._clock(), self._policy)

    async def _spawn(self, role: Role) -> None:
        child = await spawn(role, self._logs, self._env)
        self._children[role.name] = child
        try:
            self._ledger.note(self.pids)
        except OSError as error:
            log.error("the ledger of processes cannot be written: %s", error)

    async def _watch(self, role: Role) -> None:
        """Wait for the role's end, again and again, until it was asked to stop."""
        while True:
            child = self._children.get(role.name)
            code = 0
            if child is not None:
                if self._lives[role.name].state == "stopping":
                    await child.stop(self._stop_seconds)
                code = await child.exited()
                del self._children[role.name]
            self._take(role.name, "exited")
            life = self._lives[role.name]
            if life.state == "stopped":
                return
            log.warning("%s %s, starts again in %.1f s", role.name, ending(code), life.due - self._clock())
            await asyncio.sleep(max(0.0, life.due - self._clock()))
            self._take(role.name, "due")
            try:
                await self._spawn(role)
                log.info("%s runs again", role.name)
            except UnderstudyError as error:
                log.error("%s", error.message)


def ending(code: int) -> str:
    """How a process ended, from its exit code."""
    return f"was killed (signal {-code})" if code < 0 else f"ended with code {code}"
