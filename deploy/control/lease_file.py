"""Leadership by a file lock, which the kernel releases when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from understudy.ids import random_id


class FileLease:
    """`LeaseStore` at `path`; the file names the owner, which stays the same over restarts, and its process id."""

    def __init__(self, path: Path) -> None:
        self.owner = ""
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """See `LeaseStore`."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.seek(0)
        self.owner = file.readline().strip() or random_id("controller-")
        file.seek(0)
        file.truncate()
        file.write(f"{self.owner}\n{os.getpid()}\n")
        file.flush()
        self._file = file
        return True

    def renew(self) -> bool:
        """A lock does not run out."""
        return self._file is not None

    def release(self) -> None:
        """See `LeaseStore`."""
        if self._file is not None:
            self._file.close()
            self._file = None
