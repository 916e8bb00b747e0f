"""The audit log as a file of JSON lines, appended under a file lock; what is no entry at its end is set aside."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from deploy.audit.chain import BEFORE_THE_FIRST, ChainEntry, ChainHead, Deed, check, following, parse, to_line
from understudy.clock import Clock, wall
from understudy.errors import BadRequest, IntegrityError, Unavailable, UnderstudyError
from understudy.process.lock import take

log = logging.getLogger("understudy.audit")
REPAIRED = "audit.repaired"
ASIDE = ".aside"
"""Ending of the file beside the log that holds what was found at its end and was no entry."""
TAIL = 1 << 20
"""Bytes from the end within which the last line lies; longer entries are refused."""


class FileAuditLog:
    """`AuditLog` at `path`.

    What is no entry at the end of the file, such as a line torn by a crash, is set aside in a file of its own before
    the next entry, and the entry `audit.repaired` says so.
    """

    def __init__(self, path: Path, clock: Clock = wall) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: deque[Deed] = deque()
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """See `AuditLog`."""
        return self._trouble

    def append(self, action: str, actor: str, **details: Any) -> ChainEntry:
        """See `AuditLog`; an IntegrityError where what stands at the end is too long to be set aside."""
        with self._lock:
            self._kept.append(self._deed(action, actor, details))
            try:
                return self._write_kept()
            except UnderstudyError:
                self._kept.pop()
                raise

    def keep(self, action: str, actor: str, **details: Any) -> None:
        """See `AuditLog`."""
        with self._lock:
            deed = self._deed(action, actor, details)
            self._kept.append(deed)
        if not self.settle():
            log.error("not in the audit log yet (%s): %s", self.trouble, deed)

    def settle(self) -> bool:
        """See `AuditLog`."""
        with self._lock:
            try:
                if self._kept:
                    self._write_kept()
            except UnderstudyError as error:
                self._trouble = error.message
            return not self._kept

    def entries(self, after: int = 0) -> Iterator[ChainEntry]:
        """See `AuditLog`."""
        return (entry for entry in _all(self._path) if entry["n"] > after)

    def verify(self) -> ChainHead:
        """See `AuditLog`."""
        return check(_all(self._path), self._path.name)

    def _deed(self, action: str, actor: str, details: dict[str, Any]) -> Deed:
        plain = json.loads(json.dumps(details, ensure_ascii=False, default=str))
        deed = Deed(round(self._clock(), 3), action, actor, plain)
        if len(to_line(following(BEFORE_THE_FIRST, deed))) > TAIL // 2:
            raise BadRequest(f"audit entry {action} is above {TAIL // 2} bytes; shorten its details")
        return deed

    def _write_kept(self) -> ChainEntry:
        """Write all that is kept back; the last entry."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+b", buffering=0) as file:
                take(file)
                entry, rest = _last(file)
                if rest:
                    entry = self._repair(file, entry, rest)
                while self._kept:
                    entry = _append(file, entry, self._kept[0])
                    self._kept.popleft()
                self._trouble = ""
                return entry
        except OSError as error:
            raise Unavailable(f"{self._path.name} cannot be written: {error.strerror}") from error

    def _repair(self, file: IO[bytes], entry: ChainEntry, rest: bytes) -> ChainEntry:
        """Move `rest`, with which the file ends, out of the way, and say so."""
        aside = self._path.with_name(f"{self._path.name}{ASIDE}")
        with aside.open("ab") as other:
            other.write(rest.rstrip(b"\n") + b"\n")
            other.flush()
            os.fsync(other.fileno())
        file.truncate(file.seek(0, os.SEEK_END) - len(rest))
        lost = {"bytes": len(rest), "set_aside": aside.name}
        return _append(file, entry, Deed(round(self._clock(), 3), REPAIRED, "audit", lost))


def _append(file: IO[bytes], last: ChainEntry, deed: Deed) -> ChainEntry:
    """Write the entry that follows `last`, durably or not at all; returns it."""
    entry = following(last, deed)
    line = to_line(entry)
    end = file.seek(0, os.SEEK_END)
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError:
        file.truncate(end)
        raise
    return entry


def _last(file: IO[bytes]) -> tuple[ChainEntry, bytes]:
    """The last entry, and what follows it without being one."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - TAIL)
    file.seek(start)
    tail = file.read()
    end = len(tail)
    while (end := tail.rfind(b"\n", 0, end)) >= 0:
        begin = tail.rfind(b"\n", 0, end) + 1
        if begin == 0 and start > 0:
            break
        entry = parse(tail[begin:end])
        if entry is not None:
            return entry, tail[end + 1 :]
    if start > 0:
        raise IntegrityError("the audit log ends in what is no entry; see `understudy audit verify`")
    return BEFORE_THE_FIRST, tail


def _all(path: Path) -> Iterator[ChainEntry]:
    """Entries of the file, none where there is no file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            entry = parse(raw)
            if entry is None:
                raise IntegrityError(f"{path.name} line {number} is not an audit entry")
            yield entry
