"""What may keep an engine from starting, found before it is tried: port, memory, CPU, vLLM."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from deploy.routing.document import SlotName
from serving.engine.config import EnginesConfig
from serving.engine.sizes import MIB, engine_size, shape_of
from understudy.errors import Unavailable
from understudy.process.cpu import BF16, cpu_flags
from understudy.process.ports import bound

CGROUP = Path("/sys/fs/cgroup")


class CannotStart(Unavailable):
    """The machine lacks what the engine needs; the message says what to change."""

    code = "cannot_start"


def check_port(slot: SlotName, config: EnginesConfig) -> None:
    """Raises CannotStart when the slot's port is taken, naming the setting."""
    port = config.ports[slot]
    try:
        bound(config.host, port).close()
    except OSError as error:
        said = "is in use by another program" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
        raise CannotStart(f"port {port} {said}: end that program or set engines.ports.{slot} to a free port") from None


def total_bytes() -> int:
    """Memory of the machine, or the container's limit where that is less."""
    total = int(psutil.virtual_memory().total)
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int((CGROUP / "memory.max").read_text()))
    return total


def free_bytes() -> int:
    """Memory that may still be taken: the machine's, or the container's limit where that is less."""
    free = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        free = min(free, limit - used + int(stat.get("file", 0)))
    return free


def needed_bytes(folder: Path, config: EnginesConfig, *, forked: bool) -> int:
    """Estimate of what an engine of the version in `folder` takes on a CPU."""
    return engine_size(shape_of(folder), config, forked=forked).total


def check_memory(folder: Path, config: EnginesConfig, *, forked: bool, free: int | None = None) -> None:
    """Raises CannotStart when a CPU engine would not fit into memory; `free` in bytes for tests."""
    if not config.on_cpu:
        return
    need, have = needed_bytes(folder, config, forked=forked), free_bytes() if free is None else free
    if need > have:
        raise CannotStart(
            f"the engine needs about {need // MIB} MiB of memory, {have // MIB} MiB are free: "
            "free some, or lower engines.kv_cache_bytes"
        )


def check_cpu(config: EnginesConfig, flags: Iterable[str] | None = None) -> None:
    """Raises CannotStart when this CPU cannot run vLLM, or not with the configured type of numbers."""
    have = cpu_flags() if flags is None else frozenset(flags)
    if not config.on_cpu or not have or os.uname().machine != "x86_64":
        return
    if "avx2" not in have:
        raise CannotStart("this CPU has no AVX2, without which vLLM does not run: use another machine or a GPU")
    if config.dtype == "bfloat16" and not have & BF16:
        raise CannotStart("this CPU has no bf16 instructions: set engines.dtype to auto or float32")
