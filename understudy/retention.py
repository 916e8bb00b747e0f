"""How much a store holds and by what rule it lets go: one line of the table that `doctor` shows."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StoreUse:
    """One store: what it is, where (relative to the state directory), bytes on disk, pieces, and its rule in words."""

    name: str
    where: str
    bytes: int
    items: int
    rule: str


def folder_bytes(folder: Path) -> int:
    """Bytes of the files below `folder`, links not followed; what goes away meanwhile does not count."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total


def file_bytes(path: Path) -> int:
    """Bytes of one file, 0 where there is none."""
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
