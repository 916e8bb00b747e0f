"""A file that only takes room, so that there is some to give back when the volume is full.

SQLite needs room to delete: the pages that change go to its log first. Without a reserve a full spool on a
full volume could never shrink, although the bus has all of it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

BYTES = 4 << 20
SHARE = 8
"""Of the room that is left, one in so many bytes at most."""
RETRY_SECONDS = 10.0


class Reserve:
    """The file `path`; it is made where there is room for it, and made again when there is room again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tried = -RETRY_SECONDS

    def take(self) -> None:
        """Make the file unless it is there; without room for it, nothing happens, and is tried again later."""
        now = time.monotonic()
        if now - self._tried < RETRY_SECONDS:
            return
        self._tried = now
        try:
            if self._path.exists():
                return
            room = os.statvfs(self._path.parent)
            size = min(BYTES, room.f_bavail * room.f_frsize // SHARE)
            descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, max(1, size))
            finally:
                os.close(descriptor)
        except OSError:
            self.give()

    def give(self) -> bool:
        """Give the room back; whether there was any."""
        try:
            had = self._path.stat().st_blocks > 0
            self._path.unlink()
        except OSError:
            return False
        return had
