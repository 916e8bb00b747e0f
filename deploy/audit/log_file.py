"""The audit log as files of JSON lines, appended under a file lock; what is no entry at its end is set aside."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from deploy.audit.chain import BEFORE_THE_FIRST, START, ChainEntry, ChainHead, Deed, check, following, parse, to_line
from deploy.audit.heads import HeadKey, signed_head
from deploy.audit.parts import close_part, former_parts, read_all
from understudy.clock import Clock, wall
from understudy.errors import BadRequest, IntegrityError, Unavailable, UnderstudyError
from understudy.files import FULL, SPENDING
from understudy.process.lock import take_within

log = logging.getLogger("understudy.audit")
REPAIRED = "audit.repaired"
ASIDE = ".aside"
"""Ending of the file beside the log that holds what was found at its end and was no entry."""
TAIL = 1 << 20
"""Bytes from the end within which the last line lies; longer entries are refused."""
PART = 64 << 20
"""Bytes from which on the log goes on in a new file."""
LOCK_SECONDS = 2.0
"""How long to wait for another writer, which may hang."""


@dataclass(frozen=True, slots=True)
class _End:
    """The last entry, what follows it without being one, and the last megabyte of the log."""

    entry: ChainEntry
    rest: bytes
    tail: bytes

    def has(self, deed: Deed) -> bool:
        """Whether the deed stands there already."""
        return bool(deed.id) and f'"id":{json.dumps(deed.id)}'.encode() in self.tail

    def outdates(self, deed: Deed) -> bool:
        """Whether a leader with a higher number than the deed's wrote since (ids begin with the number)."""
        own = re.match(r"(\d+)-", deed.id)
        seen = re.findall(rb'"id":"(\d+)-', self.tail)
        return own is not None and bool(seen) and int(own[1]) < int(seen[-1])


class FileAuditLog:
    """`AuditLog` at `path`, each entry signed with `key` where that can be used.

    What is no entry at the end of the file, such as a line torn by a crash, is set aside in a file of its own before
    the next entry, and the entry `audit.repaired` says so. From `part` bytes on the log goes on in a new file.
    """

    def __init__(self, path: Path, clock: Clock = wall, key: HeadKey | None = None, part: int = PART) -> None:
        self._path = path
        self._clock = clock
        self._key = key
        self._part = part
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
            self._kept.append(self._checked(Deed(self._now(), action, actor, details)))
            try:
                return self._write_kept()
            except UnderstudyError:
                self._kept.pop()
                raise

    def keep(self, action: str, actor: str, **details: Any) -> None:
        """See `AuditLog`."""
        self.keep_again(Deed(self._now(), action, actor, details))

    def keep_again(self, deed: Deed) -> None:
        """See `AuditLog`."""
        with self._lock:
            deed = self._checked(deed)
            self._kept.append(deed)
        if not self.settle():
            log.error("not in the audit log yet (%s): %s", self.trouble, deed)

    def check_open(self) -> None:
        """See `AuditLog`."""
        with self._lock:
            self._write_kept()

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
        return (entry for entry in read_all(self._path) if entry["n"] > after)

    def verify(self) -> ChainHead:
        """See `AuditLog`."""
        return check(read_all(self._path), self._path.name, self._key)

    def head(self) -> ChainHead:
        """See `AuditLog`."""
        try:
            with self._path.open("rb") as file:
                entry = self._end(file).entry
        except (OSError, IntegrityError):
            return ChainHead(0, START)
        return ChainHead(entry["n"], entry["hash"])

    def _now(self) -> float:
        return round(self._clock(), 3)

    def _checked(self, deed: Deed) -> Deed:
        """The deed with plain details.

        Raises:
            BadRequest: it is too long.
        """
        plain = json.loads(json.dumps(deed.details, ensure_ascii=False, default=str))
        deed = Deed(deed.at, deed.action, deed.actor, plain, deed.id)
        if len(to_line(following(BEFORE_THE_FIRST, deed))) > TAIL // 2:
            raise BadRequest(f"audit entry {deed.action} is above {TAIL // 2} bytes; shorten its details")
        return deed

    def _write_kept(self) -> ChainEntry:
        """Write all that is kept back; the last entry."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked() as file:
                end = self._end(file)
                entry = self._repair(file, end) if end.rest else end.entry
                while self._kept:
                    deed = self._kept[0]
                    if end.outdates(deed):
                        log.error("dropped, since another controller leads by now: %s", deed)
                    elif not end.has(deed):
                        entry = self._append_in_any_case(file, entry, deed)
                    self._kept.popleft()
                self._trouble = ""
                return entry
        except OSError as error:
            raise Unavailable(f"{self._path.name} cannot be written: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        """The growing file, locked; one that is full becomes a former part first."""
        while True:
            with self._path.open("a+b", buffering=0) as file:
                if not take_within(file, LOCK_SECONDS):
                    raise OSError(errno.EAGAIN, "another process holds it and does not let go")
                if not _is_at(file, self._path):
                    continue
                if file.seek(0, os.SEEK_END) >= self._part and not (end := self._end(file)).rest:
                    close_part(self._path, end.entry["n"])
                    continue
                yield file
                return

    def _end(self, file: IO[bytes]) -> _End:
        """How the log ends; an empty file follows the newest former part."""
        if file.seek(0, os.SEEK_END) == 0 and (parts := former_parts(self._path)):
            with parts[-1].open("rb") as former:
                return _end_of(former)
        return _end_of(file)

    def _repair(self, file: IO[bytes], end: _End) -> ChainEntry:
        """Move what the file ends with and is no entry out of the way, and say so."""
        aside = self._path.with_name(f"{self._path.name}{ASIDE}")
        with aside.open("ab") as other:
            other.write(end.rest.rstrip(b"\n") + b"\n")
            other.flush()
            os.fsync(other.fileno())
        file.truncate(file.seek(0, os.SEEK_END) - len(end.rest))
        lost = {"bytes": len(end.rest), "set_aside": aside.name}
        return self._append(file, end.entry, Deed(self._now(), REPAIRED, "audit", lost))

    def _append_in_any_case(self, file: IO[bytes], last: ChainEntry, deed: Deed) -> ChainEntry:
        """`_append`, on a full disk into room that was kept for what must be written."""
        while True:
            try:
                return self._append(file, last, deed)
            except OSError as error:
                spare = SPENDING.get()
                if error.errno not in FULL or spare is None or not spare.give_room():
                    raise

    def _append(self, file: IO[bytes], last: ChainEntry, deed: Deed) -> ChainEntry:
        """Write the entry that follows `last`, durably or not at all; returns it."""
        entry = self._signed(following(last, deed))
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

    def _signed(self, entry: ChainEntry) -> ChainEntry:
        if self._key is None:
            return entry
        try:
            head = signed_head(entry["n"], entry["hash"], self._key)
        except (IntegrityError, OSError) as error:
            log.error("entry %d of the audit log is not signed: %s", entry["n"], error)
            return entry
        return {**entry, "key": head.key_id, "signature": head.signature}


def _is_at(file: IO[bytes], path: Path) -> bool:
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _end_of(file: IO[bytes]) -> _End:
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
            return _End(entry, tail[end + 1 :], tail[: end + 1])
    if start > 0:
        raise IntegrityError("the audit log ends in what is no entry; see `understudy audit verify`")
    return _End(BEFORE_THE_FIRST, tail, b"")
