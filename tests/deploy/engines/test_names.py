"""What the engine process reads of ours loads nothing else."""

from __future__ import annotations

import subprocess
import sys

from tests.waiting import LONG


def loaded_by(module: str) -> set[str]:
    """Top-level modules that importing `module` alone adds to a fresh interpreter."""
    code = f"import sys; before = set(sys.modules); import {module}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LONG)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_names_and_middleware_need_the_standard_library_alone() -> None:
    for module in ("deploy.engines.names", "serving.engine.inside.middleware"):
        assert loaded_by(module) - sys.stdlib_module_names == {"deploy", "serving"} & loaded_by(module)
