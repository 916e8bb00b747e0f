"""Processes of the benchmark: started on their cores, waited for, watched and ended."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.gateway.requests import KEY, PATH, sample
from understudy.errors import UsageError

START_SECONDS = 180.0
"""For a candidate to answer."""


@contextmanager
def running(
    command: list[str], port: int, cores: set[int], folder: Path | None = None, also: Mapping[str, str] | None = None
) -> Iterator[psutil.Process]:
    """A process bound to `cores`, with the variables of `also`, once it listens; ended with its children afterwards.

    Raises:
        UsageError: it does not answer.
    """
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, "PYTHONPATH": root, **(also or {})}
    pinned = ["taskset", "-c", ",".join(map(str, sorted(cores))), *command]
    process = subprocess.Popen(pinned, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once `port` answers a completion with 200."""
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", next(sample()), headers)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=2) as reply:
                reply.read()
                return
        except OSError as error:
            if process.poll() is not None:
                raise UsageError(f"a candidate ended at once with code {process.returncode}") from error
            time.sleep(0.1)
    raise UsageError(f"a candidate did not answer within {START_SECONDS:.0f} s")


@dataclass(frozen=True, slots=True)
class CpuUsed:
    """CPU seconds of a candidate so far: of the threads that have event loops, and of all others.

    Those are its processes' first ones, but for the processes that record.
    """

    loop: float = 0.0
    others: float = 0.0

    @classmethod
    def of(cls, process: psutil.Process | None) -> CpuUsed:
        """Of a process with its children."""
        if process is None:
            return cls()
        loop = others = 0.0
        for one in _family(process):
            records = _records(one)
            for thread in one.threads():
                used = thread.user_time + thread.system_time
                if thread.id == one.pid and not records:
                    loop += used
                else:
                    others += used
        return cls(loop, others)


def resident(process: psutil.Process | None) -> float:
    """MiB of a process with its children."""
    return 0.0 if process is None else sum(one.memory_info().rss for one in _family(process)) / (1 << 20)


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _records(process: psutil.Process) -> bool:
    """Whether it is one that records what a gateway answers: its program is told the number of a pipe, first of all."""
    return any(argument.isdecimal() for argument in process.cmdline()[3:4])


def last_core() -> set[int]:
    """The core of upstream, load and Redis; the candidate has the first."""
    return {max(os.sched_getaffinity(0))}
