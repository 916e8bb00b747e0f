"""A version in the making: files come one by one, each whole, and a killed import goes on behind the last of them."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from onboard.write.streaming import Advance, PlannedTensor, write_weights
from understudy.errors import Unavailable
from understudy.files import read_json, write_atomic, write_json

JOURNAL = "journal.json"
SPARE = 64 << 20
"""Bytes that stay free on the disk."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class NoRoom(Unavailable):
    """The disk has no room for what is to be written."""

    code = "no_room"


class Draft:
    """`files` becomes the version's folder. `identity` says what is being made: another one begins anew."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.files = folder / "files"
        self._identity = json.loads(json.dumps(identity))
        self._done: dict[str, str] = {}
        journal = self._journal()
        if journal.get("identity") != self._identity:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            self._done = dict(journal["done"])
        self.files.mkdir(parents=True, exist_ok=True)
        for path in self.files.iterdir():
            if path.name not in self._done:
                path.unlink()
        self._note()

    def has(self, name: str) -> bool:
        """Whether the file was written before."""
        return name in self._done and (self.files / name).is_file()

    def weights(self, name: str, tensors: Sequence[PlannedTensor], advance: Advance) -> None:
        """Write a file of tensors, unless it is there."""
        if self.has(name):
            return advance(sum(tensor.place.size for tensor in tensors))
        self._done[name] = write_weights(self.files / name, tensors, advance)
        self._note()

    def text(self, name: str, content: bytes | str) -> None:
        """Write a small file; those that are derived from others are simply written again."""
        write_atomic(self.files / name, content)

    def require_room(self, needed: int) -> None:
        """Raises NoRoom where `needed` bytes, less what is there already, do not fit on the disk."""
        require_room(self.folder.parent, needed - sum(path.stat().st_size for path in self.files.iterdir()))

    def drop(self) -> None:
        """Forget it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _note(self) -> None:
        write_json(self.folder / JOURNAL, {"identity": self._identity, "done": self._done})

    def _journal(self) -> dict[str, Any]:
        try:
            found = read_json(self.folder / JOURNAL)
            return found if isinstance(found, dict) and isinstance(found.get("done"), dict) else {}
        except (OSError, ValueError):
            return {}


def require_room(folder: Path, needed: int) -> None:
    """Raises NoRoom where `needed` further bytes do not fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if needed + SPARE > free:
        raise NoRoom(
            f"{(needed + SPARE) >> 20} MiB are needed in {folder}, {free >> 20} MiB are free: "
            "free some, choose another disk by --state, or a narrower type by --dtype"
        )


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """A disk that is full, or a limit on the size of files, as an error that says what to do; what is done stays."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        found = error.errno if isinstance(error, OSError) else _named(str(error))
        if found not in FULL:
            raise
        raise NoRoom(
            f"the disk of {folder} is full ({os.strerror(found)}): free some room and give the same command again, it "
            "goes on where it stopped; or choose another disk by --state"
        ) from None


def _named(message: str) -> int | None:
    """The number of the system's error that safetensors, which writes by itself, has in its message alone."""
    found = re.search(r"os error (\d+)", message)
    return int(found[1]) if found else None
