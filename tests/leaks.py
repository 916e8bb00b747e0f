"""All that running processes leave and show, for tests that look for a secret in it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil


def contents(folder: Path) -> dict[Path, bytes]:
    """What each file below `folder` holds; one that vanishes meanwhile, as temporary ones do, is left out."""
    found = {}
    for above, _, names in os.walk(folder):
        for path in (Path(above) / name for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink():
                    found[path] = path.read_bytes()
    return found


def command_lines(pid: int) -> list[bytes]:
    """The command line of a process and of all below it, but for those that end meanwhile."""
    found = []
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append(Path(f"/proc/{process.pid}/cmdline").read_bytes())
    return found
