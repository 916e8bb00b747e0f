"""Files that exist whole or not at all: atomic writes, and folders that end with a READY marker."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

READY = "READY"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a disk without room."""


class SpareRoom(Protocol):
    """Room kept for what must be written on a full disk (`understudy.reserve`)."""

    def write(self, path: Path, data: bytes, mode: int) -> bool: ...
    def give_room(self) -> bool: ...


SPENDING: ContextVar[SpareRoom | None] = ContextVar("SPENDING", default=None)
"""What writes of this thread may spend where the disk is full."""


def write_atomic(path: Path, data: bytes | str, *, mode: int = 0o644) -> None:
    """Replace `path` by `data`, durably; a reader sees the old bytes or the new ones, never a mix."""
    raw = data.encode() if isinstance(data, str) else data
    try:
        _replace(path, raw, mode)
    except OSError as error:
        spare = SPENDING.get()
        if spare is None or error.errno not in FULL or not spare.write(path, raw, mode):
            raise
    sync_folder(path.parent)


def _replace(path: Path, raw: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_new(path: Path, data: bytes | str) -> bool:
    """Make `path` with `data`, durably and whole; False, and nothing done, where it exists already."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_atomic(draft, data)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file of any size in constant memory; its folder is made where it is missing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as given, target.open("wb") as out:
        shutil.copyfileobj(given, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
    sync_folder(target.parent)


def write_json(path: Path, value: Any, *, mode: int = 0o644) -> None:
    """`write_atomic` of `value` as indented JSON."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n", mode=mode)


def read_json(path: Path) -> Any:
    """The JSON value in `path`."""
    return json.loads(path.read_bytes())


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The text of `path`, readable by its owner alone; made by whoever comes first, whole or not at all."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        write_atomic(draft, make() + "\n", mode=0o600)
        try:
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            sync_folder(path.parent)
        finally:
            draft.unlink()
    return path.read_text("utf-8").strip()


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mark_ready(folder: Path, content: str = "") -> None:
    """Write the marker last: from here on the folder counts as complete."""
    write_atomic(folder / READY, content)


def is_ready(folder: Path) -> bool:
    """Whether the folder is complete."""
    return (folder / READY).is_file()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
