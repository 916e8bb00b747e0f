"""A volume so small that it is soon full: a tmpfs of a test's own, where mounting is allowed."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared_data import need_program


@contextlib.contextmanager
def small_volume(folder: Path, size: int) -> Iterator[Path]:
    """`folder` with `size` bytes of room; skips where nothing may be mounted (it takes root)."""
    need_program("mount")
    folder.mkdir()
    options = ["-o", f"size={size},mode=700"]
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no volume can be mounted here, it takes root: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(volume: Path, leave: int = 0) -> Path:
    """A file that takes all the room but `leave` bytes."""
    filler = volume / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 65_536)
            file.flush()
    if leave:
        with filler.open("r+b") as file:
            file.truncate(filler.stat().st_size - leave)
    return filler
