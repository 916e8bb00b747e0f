"""The audit log: JSON lines, each holding the hash of the one before, appended under a file lock.

A changed, removed or inserted line breaks the chain at that line. Cutting off the end does not; whoever must
rule that out compares the head hash that `verify` prints with one noted elsewhere.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from understudy.clock import Clock, wall
from understudy.errors import BadRequest, IntegrityError, Unavailable, UnderstudyError
from understudy.process.lock import take

log = logging.getLogger("understudy.audit")
REPAIRED = "audit.repaired"
ASIDE = ".aside"
"""Ending of the file beside the log that holds what was found at its end and was no entry."""
START = "0" * 64
"""What the first line names as the hash before it."""
TAIL = 1 << 20
"""Bytes from the end within which the last line lies; longer entries are refused."""


def entry_hash(entry: dict[str, Any]) -> str:
    """SHA-256 over the entry without its own hash, as canonical JSON."""
    body = {key: value for key, value in entry.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Deed:
    """What an entry is made of; `at` is when it happened, in seconds since the epoch."""

    at: float
    action: str
    actor: str
    details: dict[str, Any]


class FileAuditLog:
    """Appends to the log at `path`; safe from several threads and processes at once.

    `append` is for what may wait until it can be recorded. `keep` is for what must happen in any case, such as a
    rollback: the entry waits in memory, and in the process's own log, until the audit log can be written again.
    """

    def __init__(self, path: Path, clock: Clock = wall) -> None:
        self.trouble = ""
        """Why entries are kept back; empty while there are none."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: deque[_Deed] = deque()

    def append(self, action: str, actor: str, **details: Any) -> dict[str, Any]:
        """Record that `actor` did `action`, after what is kept back; durable on return. Returns the entry.

        What is no entry at the end of the log, such as a line torn by a crash, is set aside in a file of its own,
        and the entry `audit.repaired` says so.

        Raises:
            Unavailable: it cannot be written.
            IntegrityError: what stands at its end is too long to be set aside.
            BadRequest: the entry is too long.
        """
        with self._lock:
            event = self._event(action, actor, details)
            self._kept.append(event)
            try:
                return self._write_kept()
            except UnderstudyError:
                self._kept.pop()
                raise

    def keep(self, action: str, actor: str, **details: Any) -> None:
        """Like `append`, or later where that fails: see `settle`."""
        with self._lock:
            event = self._event(action, actor, details)
            self._kept.append(event)
        if not self.settle():
            log.error("not in the audit log yet (%s): %s", self.trouble, event)

    def settle(self) -> bool:
        """Write what is kept back; whether nothing is left."""
        with self._lock:
            try:
                if self._kept:
                    self._write_kept()
            except UnderstudyError as error:
                self.trouble = error.message
            return not self._kept

    def entries(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Entries whose number is above `after`, oldest first."""
        if self._path.exists():
            for _, entry in _lines(self._path):
                if entry["n"] > after:
                    yield entry

    def _event(self, action: str, actor: str, details: dict[str, Any]) -> _Deed:
        plain = json.loads(json.dumps(details, ensure_ascii=False, default=str))
        event = _Deed(round(self._clock(), 3), action, actor, plain)
        if len(_line(0, START, event)) > TAIL // 2:
            raise BadRequest(f"audit entry {action} is above {TAIL // 2} bytes; shorten its details")
        return event

    def _write_kept(self) -> dict[str, Any]:
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
                self.trouble = ""
                return entry
        except OSError as error:
            raise Unavailable(f"{self._path.name} cannot be written: {error.strerror}") from error

    def _repair(self, file: IO[bytes], entry: dict[str, Any], rest: bytes) -> dict[str, Any]:
        """Move `rest`, with which the log ends, out of the way, and say so."""
        aside = self._path.with_name(f"{self._path.name}{ASIDE}")
        with aside.open("ab") as other:
            other.write(rest.rstrip(b"\n") + b"\n")
            other.flush()
            os.fsync(other.fileno())
        file.truncate(file.seek(0, os.SEEK_END) - len(rest))
        lost = {"bytes": len(rest), "set_aside": aside.name}
        return _append(file, entry, _Deed(round(self._clock(), 3), REPAIRED, "audit", lost))


def _line(number: int, previous: str, event: _Deed) -> bytes:
    entry = {
        "n": number, "at": event.at, "action": event.action, "actor": event.actor, "details": event.details,
        "previous": previous,
    }  # fmt: skip
    entry["hash"] = entry_hash(entry)
    return json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _append(file: IO[bytes], last: dict[str, Any], event: _Deed) -> dict[str, Any]:
    """Write the entry that follows `last`, durably or not at all; returns it."""
    line = _line(last["n"] + 1, last["hash"], event)
    end = file.seek(0, os.SEEK_END)
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError:
        file.truncate(end)
        raise
    entry: dict[str, Any] = json.loads(line)
    return entry


def _last(file: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """The last entry (its number 0 in an empty log), and what follows it without being one."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - TAIL)
    file.seek(start)
    tail = file.read()
    end = len(tail)
    while (end := tail.rfind(b"\n", 0, end)) >= 0:
        begin = tail.rfind(b"\n", 0, end) + 1
        if begin == 0 and start > 0:
            break
        entry = _entry(tail[begin:end])
        if entry is not None:
            return entry, tail[end + 1 :]
    if start > 0:
        raise IntegrityError("the audit log ends in what is no entry; see `understudy audit verify`")
    return {"n": 0, "hash": START}, tail


def _entry(raw: bytes) -> dict[str, Any] | None:
    """The entry that a line holds; None when it holds none."""
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(entry, dict) and type(entry.get("n")) is int and isinstance(entry.get("hash"), str)
    return entry if whole else None


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            entry = _entry(raw)
            if entry is None:
                raise IntegrityError(f"{path.name} line {number} is not an audit entry")
            yield number, entry


def verify_chain(path: Path) -> int:
    """Check every line; returns how many there are (0 without a log).

    Raises:
        IntegrityError: naming the first line that does not fit.
    """
    return chain_head(path)[0]


def chain_head(path: Path) -> tuple[int, str]:
    """Like `verify_chain`, with the hash of the last line."""
    if not path.exists():
        return 0, START
    previous, count = START, 0
    for number, entry in _lines(path):
        if entry.get("previous") != previous or entry["n"] != count + 1:
            raise IntegrityError(f"{path.name} line {number} does not follow the line before it")
        if entry.get("hash") != entry_hash(entry):
            raise IntegrityError(f"{path.name} line {number} was changed after it was written")
        previous, count = entry["hash"], count + 1
    return count, previous
