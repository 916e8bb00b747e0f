"""How an engine process is started, found again and stopped: one Protocol, two ways behind it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from understudy.errors import Unavailable


class LaunchFailed(Unavailable):
    """An engine process could not be started."""

    code = "launch_failed"


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """An engine process: arguments and environment of the API server, cores, and where its output goes."""

    slot: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cpus: tuple[int, ...]
    log: str

    def to_json(self) -> dict[str, Any]:
        """A JSON object for the fork server."""
        return asdict(self) | {"env": dict(self.env)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LaunchSpec:
        """The inverse of `to_json`.

        Raises:
            KeyError, TypeError: the object is not a spec.
        """
        return cls(
            slot=str(value["slot"]),
            argv=tuple(str(part) for part in value["argv"]),
            env={str(k): str(v) for k, v in value["env"].items()},
            cpus=tuple(int(cpu) for cpu in value["cpus"]),
            log=str(value["log"]),
        )


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """A slot's process; `exit` is None while it lives, else its code (negative: the signal)."""

    slot: str
    pid: int
    exit: int | None = None


class Launcher(Protocol):
    """Starts, finds and stops engine processes, one at most for each slot."""

    async def start(self, spec: LaunchSpec) -> EngineProcess:
        """Start the engine; a process of the slot that still lives is an error.

        Raises:
            LaunchFailed: it could not be started.
        """
        ...

    async def look(self, slot: str) -> EngineProcess | None:
        """The slot's process, dead or alive; None when none was started.

        Raises:
            LaunchFailed: the launcher itself is away.
        """
        ...

    async def stop(self, slot: str, grace: float) -> None:
        """End the slot's process and all of its group; after `grace` seconds by SIGKILL."""
        ...


def signal_engine(pid: int, number: signal.Signals) -> None:
    """Send `number` to an engine whose API server is `pid` and lives or has ended just now; no error when it is gone.

    SIGKILL goes to the whole process group; anything else to the API server alone, which ends the others in
    order.
    """
    with contextlib.suppress(ProcessLookupError):
        if number is signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
