"""Imports that end in the middle: in a child process that is killed, or that the disk leaves no room."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from deploy.registry import store
from onboard.write.draft import SPARE

HEADER = 100_000
"""More bytes than the headers of the files of a tiny model take."""


def killed_when(stage: str, at: float) -> Callable[[str, int], Callable[[int], None]]:
    """A display that kills its process once `at` of the bytes of `stage` were read."""

    def show(step: str, total: int) -> Callable[[int], None]:
        read = 0

        def advance(count: int) -> None:
            nonlocal read
            read += count
            if step == stage and read >= at * total:
                os.kill(os.getpid(), signal.SIGKILL)

        if step == stage and at == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return advance

    return show


def dying_as_it_registers(call: str, work: Callable[[], object]) -> Callable[[], None]:
    """`work` for a child process that is killed when the registry makes this call of its own module."""

    def run() -> None:
        setattr(store, call, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        work()

    return run


def meddling(file: Path, stage: str) -> Callable[[str, int], Callable[[int], None]]:
    """A display that changes the last byte of `file` whenever something of `stage` was read."""

    def show(step: str, total: int) -> Callable[[int], None]:
        def advance(count: int) -> None:
            if step == stage:
                with file.open("r+b") as opened:
                    opened.seek(-1, 2)
                    opened.write(b"\x3f")

        return advance

    return show


class Steps:
    """A display that keeps the names of the steps that it was told of."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, step: str, total: int) -> Callable[[int], None]:
        """As the other displays."""
        self.told.append(step)
        return lambda count: None


def room_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let every disk have so many bytes free, and those that stay free."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=SPARE + size))


def silent(step: str, total: int) -> Callable[[int], None]:
    """A display that shows nothing."""
    return lambda count: None


def in_child(work: Callable[[], object], largest_file: int | None = None) -> int:
    """Do `work` in a child of this process; returns its exit code, negative for a signal, 0 done, 1 an error."""
    pid = os.fork()
    if pid == 0:
        try:
            torch.set_num_threads(1)
            if largest_file is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
