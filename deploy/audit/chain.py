"""Entries of the audit log and the chain of hashes that links them; pure.

A changed, removed or inserted entry breaks the chain there. Cutting off the end does not; whoever must rule that
out compares the head, the hash of the last entry, with one noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from understudy.errors import IntegrityError

START = "0" * 64
"""What the first entry names as the hash before it."""
ChainEntry = dict[str, Any]
"""{"n", "at", "action", "actor", "details", "previous", "hash"}: numbered from 1, `previous` the hash before it."""
BEFORE_THE_FIRST: ChainEntry = {"n": 0, "hash": START}


class ChainHead(NamedTuple):
    """How long an unbroken chain is, and the hash of its last entry."""

    entries: int
    hash: str


@dataclass(frozen=True, slots=True)
class Deed:
    """What an entry is made of; `at` is when it happened, in seconds since the epoch."""

    at: float
    action: str
    actor: str
    details: dict[str, Any]


def entry_hash(entry: ChainEntry) -> str:
    """SHA-256 over the entry without its own hash, as canonical JSON."""
    body = {key: value for key, value in entry.items() if key != "hash"}
    return hashlib.sha256(_canonical(body)).hexdigest()


def following(last: ChainEntry, deed: Deed) -> ChainEntry:
    """The entry that holds `deed` and follows `last`."""
    entry = {
        "n": last["n"] + 1, "at": deed.at, "action": deed.action, "actor": deed.actor, "details": deed.details,
        "previous": last["hash"],
    }  # fmt: skip
    return {**entry, "hash": entry_hash(entry)}


def to_line(entry: ChainEntry) -> bytes:
    """The entry as one line of JSON, with its newline."""
    return _canonical(entry) + b"\n"


def parse(raw: bytes) -> ChainEntry | None:
    """The entry that a line holds; None when it holds none."""
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(entry, dict) and type(entry.get("n")) is int and isinstance(entry.get("hash"), str)
    return entry if whole else None


def check(entries: Iterable[ChainEntry], name: str) -> ChainHead:
    """Check every entry of the log called `name`, oldest first; (0, START) for none.

    Raises:
        IntegrityError: naming the first line that does not fit.
    """
    head = ChainHead(0, START)
    for number, entry in enumerate(entries, 1):
        if entry.get("previous") != head.hash or entry["n"] != number:
            raise IntegrityError(f"{name} line {number} does not follow the line before it")
        if entry["hash"] != entry_hash(entry):
            raise IntegrityError(f"{name} line {number} was changed after it was written")
        head = ChainHead(number, entry["hash"])
    return head


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
