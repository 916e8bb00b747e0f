"""What this machine's CPU can do, by what the system says of it."""

from __future__ import annotations

import contextlib
from pathlib import Path

BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Instruction sets that multiply bfloat16, of x86 and of ARM, any of them."""


def cpu_flags() -> frozenset[str]:
    """Instruction sets that the CPU names; empty where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return frozenset(line.partition(":")[2].split())
    return frozenset()
