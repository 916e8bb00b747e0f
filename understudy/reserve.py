"""Room that is kept on a disk, so that what must be written can be when the disk is full.

The pieces are files whose blocks are allocated. A write spends one: it goes into the piece, which then takes the place
of the target, so nobody else gets the room in between, as would be when it were given back first.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from understudy.files import FULL, SPENDING

PIECES = 16
SIZE = 128 << 10
"""Bytes of a piece."""


class DiskReserve:
    """Pieces in `folder`, which must be on the disk of what is written."""

    def __init__(self, folder: Path, pieces: int = PIECES, size: int = SIZE) -> None:
        self._folder = folder
        self._pieces = [folder / f"{number:02d}" for number in range(pieces)]
        self._size = size

    def refill(self) -> int:
        """Make the pieces that are missing, as far as there is room; how many there are."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            for piece in self._pieces:
                if not piece.exists():
                    self._make(piece)
        return sum(piece.exists() for piece in self._pieces)

    @contextlib.contextmanager
    def spending(self) -> Iterator[None]:
        """Whatever this thread writes by `understudy.files` may spend the reserve where the disk is full."""
        token = SPENDING.set(self)
        try:
            yield
        finally:
            SPENDING.reset(token)

    def write(self, path: Path, data: bytes, mode: int) -> bool:
        """Replace `path` by `data` out of the reserve, durably; False where nothing is left that holds it."""
        if len(data) > self._size:
            return False
        for piece in self._pieces:
            with contextlib.suppress(OSError):
                with piece.open("r+b") as file:
                    file.write(data)
                    file.truncate()
                    file.flush()
                    os.fsync(file.fileno())
                os.chmod(piece, mode)
                os.replace(piece, path)
                return True
        return False

    def give_room(self) -> bool:
        """Remove a piece, for a file that has to grow; False where none is left."""
        for piece in self._pieces:
            with contextlib.suppress(OSError):
                piece.unlink()
                return True
        return False

    def _make(self, piece: Path) -> None:
        draft = piece.with_suffix(".draft")
        try:
            with draft.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
                os.fsync(file.fileno())
            os.replace(draft, piece)
        except OSError as error:
            draft.unlink(missing_ok=True)
            if error.errno in FULL:
                raise
