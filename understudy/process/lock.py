"""One process for a job, or one at a time: locks that the kernel releases when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from understudy.clock import Clock, monotonic
from understudy.errors import Conflict, Unavailable

RETRY = 0.01
PATIENCE = 30.0
"""Seconds for which one waits for a lock that is held for a moment only."""


def take(file: IO[Any] | int, *, wait: bool = True) -> bool:
    """Lock an open file or descriptor until it is closed; False where another one holds it and `wait` is False."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take_within(file: IO[Any] | int, seconds: float, clock: Clock = monotonic) -> bool:
    """`take`, waiting so long at most: whoever holds it may hang. Whether it is locked now."""
    until = clock() + seconds
    while not take(file, wait=False):
        if clock() >= until:
            return False
        time.sleep(RETRY)
    return True


@contextmanager
def exclusive(path: Path, seconds: float = PATIENCE) -> Iterator[None]:
    """Hold the file at `path`, made where it is missing, for the length of a `with`.

    Raises:
        Unavailable: another process has held it for `seconds`.
    """
    with path.open("a") as file:
        if not take_within(file, seconds):
            raise Unavailable(f"another process holds {path} and does not let go; end it if it hangs")
        yield


class ProcessLock:
    """Exclusive hold of the file at `path`, which names the holder's process id; not passed on to programs it runs.

    `refusal` is what another process is told, with `{pid}` where the holder's process id belongs.
    """

    def __init__(self, path: Path, refusal: str) -> None:
        self._path = path
        self._refusal = refusal
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            Conflict: another process holds it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not take(descriptor, wait=False):
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Conflict(self._refusal.replace("{pid}", holder))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
