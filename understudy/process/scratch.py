"""The temporary folder of a state directory: what its processes leave behind lies here and goes with it.

Python's `tempfile.TemporaryDirectory` was considered: it is removed by the process that made it, which here may
have been killed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from understudy.errors import UnderstudyError
from understudy.state import StateDir

SOCKET_BYTES = 107
"""The longest path of a Unix socket."""
BELOW_BYTES = len("/student-a/") + 36
"""What comes below: a folder for each engine, in which vLLM names sockets by a UUID."""
SHORT = Path("/tmp")
"""Not the system's notion of a temporary folder, which differs between a process and those that it starts."""


class Scratch:
    """`RUN/tmp`, or where a socket in it would have too long a path, a short folder named after the state directory."""

    def __init__(self, state: StateDir) -> None:
        inside = (state.run / "tmp").absolute()
        if len(os.fsencode(inside)) + BELOW_BYTES <= SOCKET_BYTES:
            self.folder = inside
        else:
            name = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
            self.folder = SHORT / f"understudy-{os.getuid()}-{name}"

    def emptied(self, name: str) -> Path:
        """An empty folder below, for one process; whatever an earlier process of that name left is gone.

        Raises:
            UnderstudyError: somebody else made the short folder before us.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.lstat().st_uid != os.getuid() or self.folder.is_symlink():
            raise UnderstudyError(f"{self.folder} belongs to somebody else: remove it, or take a shorter --state")
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def drop(self, name: str) -> None:
        """Remove the folder of one process, which has ended, and the whole where it was the last."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        with suppress(OSError):
            self.folder.rmdir()

    @contextmanager
    def holding(self, name: str) -> Iterator[None]:
        """This process, and what it starts, keep temporary files below while the block runs; then all is removed.

        Removed first is what a killed run has left, so nothing else of the state directory may run.
        """
        former = os.environ.get("TMPDIR")
        shutil.rmtree(self.folder, ignore_errors=True)
        _temporary(str(self.emptied(name)))
        try:
            yield
        finally:
            _temporary(former)
            shutil.rmtree(self.folder, ignore_errors=True)


def _temporary(folder: str | None) -> None:
    """Let `tempfile` look again, in `folder` where one is given."""
    tempfile.tempdir = None
    if folder is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = folder
