"""Entries of the audit log and the chain of hashes that links them; pure.

A changed, removed or inserted entry breaks the chain there. Cutting off the end does not, nor does a log hashed anew:
signatures of entries and heads noted elsewhere (`deploy.witness`) tell these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from deploy.audit.heads import AuditHead, HeadKey
from understudy.errors import IntegrityError

UNHASHED = ("hash", "key", "signature")
START = "0" * 64
"""What the first entry names as the hash before it."""
ChainEntry = dict[str, Any]
"""{"n", "at", "action", "actor", "details", "previous", "hash"}: numbered from 1, `previous` the hash before it.

Some have an "id", and those written with the key at hand "key" and "signature" of the head that they make.
"""
BEFORE_THE_FIRST: ChainEntry = {"n": 0, "hash": START}


KEYLESS = frozenset({"version.refused"})
"""Actions of processes that verify versions and need not hold the key."""


class ChainHead(NamedTuple):
    """How long an unbroken chain is, and the hash of its last entry."""

    entries: int
    hash: str
    signed: int = 0
    """Number of the last entry whose signature fits."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What an entry is made of; `at` is when it happened, in seconds since the epoch."""

    at: float
    action: str
    actor: str
    details: dict[str, Any]
    id: str = ""
    """Of an entry that may be written again after a crash: the log has it once."""


def entry_hash(entry: ChainEntry) -> str:
    """SHA-256 over the entry without its own hash and signature, as canonical JSON."""
    body = {key: value for key, value in entry.items() if key not in UNHASHED}
    return hashlib.sha256(_canonical(body)).hexdigest()


def following(last: ChainEntry, deed: Deed) -> ChainEntry:
    """The entry that holds `deed` and follows `last`."""
    entry = {
        "n": last["n"] + 1, "at": deed.at, "action": deed.action, "actor": deed.actor, "details": deed.details,
        "previous": last["hash"], **({"id": deed.id} if deed.id else {}),
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


def check(entries: Iterable[ChainEntry], name: str, key: HeadKey | None = None) -> ChainHead:
    """Check every entry of the log called `name`, oldest first; (0, START) for none.

    The signature of the last signed entry vouches for all before it. Behind it may stand what a process without the
    key writes, nothing else.

    Raises:
        IntegrityError: naming the first line that does not fit.
    """
    head, signed, strange = ChainHead(0, START), None, 0
    for number, entry in enumerate(entries, 1):
        if entry.get("previous") != head.hash or entry["n"] != number:
            raise IntegrityError(f"{name} line {number} does not follow the line before it")
        if entry["hash"] != entry_hash(entry):
            raise IntegrityError(f"{name} line {number} was changed after it was written")
        head = ChainHead(number, entry["hash"])
        if entry.get("signature"):
            signed, strange = entry, 0
        elif not strange and entry.get("action") not in KEYLESS:
            strange = number
    if key is None or signed is None:
        return head
    last = AuditHead(n=signed["n"], hash=signed["hash"])
    try:
        key.verify(last.signed_bytes(), str(signed.get("key")), str(signed["signature"]))
    except IntegrityError as error:
        raise IntegrityError(f"{name} line {last.n}: {error.message}") from None
    if strange:
        raise IntegrityError(f"{name} line {strange} is not signed as those before it: it was written without the key")
    return ChainHead(head.entries, head.hash, last.n)


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
