"""The audit log: JSON lines, each holding the hash of the one before, appended under a file lock.

A changed, removed or inserted line breaks the chain at that line. Cutting off the end does not; whoever must
rule that out compares the head hash that `verify` prints with one noted elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from understudy.clock import Clock, wall
from understudy.errors import IntegrityError

START = "0" * 64
"""What the first line names as the hash before it."""
TAIL = 1 << 20
"""Bytes from the end within which the last line lies; longer entries are refused."""


def entry_hash(entry: dict[str, Any]) -> str:
    """SHA-256 over the entry without its own hash, as canonical JSON."""
    body = {key: value for key, value in entry.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class AuditLog:
    """Appends to the log at `path`; safe from several processes at once."""

    def __init__(self, path: Path, clock: Clock = wall) -> None:
        self._path = path
        self._clock = clock

    def append(self, action: str, actor: str, **details: Any) -> dict[str, Any]:
        """Record that `actor` did `action`; durable on return. Returns the entry.

        A line torn by a crash is cut off, and the entry that follows says so.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            number, previous, torn = _last(file)
            if torn:
                lost = {"bytes": torn}
                number, previous = self._write(file, number, previous, "audit.repaired", "audit", lost)
            self._write(file, number, previous, action, actor, details)
            file.seek(0, os.SEEK_END)
            return _last_entry(file)

    def _write(
        self, file: Any, number: int, previous: str, action: str, actor: str, details: dict[str, Any]
    ) -> tuple[int, str]:
        plain = json.loads(json.dumps(details, ensure_ascii=False, default=str))
        entry = {
            "n": number + 1, "at": round(self._clock(), 3), "action": action, "actor": actor,
            "details": plain, "previous": previous,
        }  # fmt: skip
        entry["hash"] = entry_hash(entry)
        line = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
        if len(line.encode()) > TAIL // 2:
            raise IntegrityError(f"audit entry {action} is above {TAIL // 2} bytes; shorten its details")
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())
        return number + 1, str(entry["hash"])

    def entries(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Entries whose number is above `after`, oldest first."""
        if self._path.exists():
            for _, entry in _lines(self._path):
                if entry["n"] > after:
                    yield entry


def _last(file: Any) -> tuple[int, str, int]:
    """Number and hash of the last whole line, and the bytes of a torn line that were cut off."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - TAIL)
    file.seek(start)
    tail = file.read()
    whole = tail.rfind(b"\n") + 1
    torn = len(tail) - whole
    if torn:
        file.truncate(start + whole)
        file.seek(0, os.SEEK_END)
    lines = tail[:whole].splitlines()
    if not lines:
        return 0, START, torn
    try:
        entry = json.loads(lines[-1])
        return int(entry["n"]), str(entry["hash"]), torn
    except (ValueError, KeyError, TypeError):
        raise IntegrityError("the audit log's last line is no entry; see `understudy audit verify`") from None


def _last_entry(file: Any) -> dict[str, Any]:
    size = file.tell()
    file.seek(max(0, size - TAIL))
    entry: dict[str, Any] = json.loads(file.read().splitlines()[-1])
    return entry


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                entry = json.loads(raw)
                if not isinstance(entry, dict) or not isinstance(entry["n"], int):
                    raise ValueError
            except (ValueError, KeyError):
                raise IntegrityError(f"{path.name} line {number} is not an audit entry") from None
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
