"""Targets that were asked for before: a bounded store of files, found again by teacher, tokens and k.

A file that is damaged counts as absent. Those that nobody has used for longest go first. diskcache was considered:
it keeps small values in SQLite, which one writer locks; here each value is a file that is whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from online_distill.data.encoding import Encoded
from online_distill.teacher.targets import TopK

SEAL = 32
"""Bytes of the SHA-256 that a file begins with."""
EMPTIED = 0.9
"""Share of the bound that is left when the store is emptied."""


def text_key(teacher: str, text: Encoded, k: int) -> str:
    """What targets are found by: the teacher's version, every token, where the reply begins, and k."""
    sha = hashlib.sha256(f"{teacher}|{text.start}|{k}|".encode())
    sha.update(np.array(text.tokens, np.int32).tobytes())
    return sha.hexdigest()


class TargetCache:
    """Targets in files of a folder, `limit` bytes of them at most after `prune`. One process writes at a time."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit

    def has(self, key: str) -> bool:
        """Whether there is a file; `get` says whether it is sound."""
        return self._path(key).is_file()

    def get(self, key: str) -> TopK | None:
        """The targets, which count as used now; None where there are none, or what there is is damaged."""
        path = self._path(key)
        try:
            raw = path.read_bytes()
            found = _unpacked(raw)
        except (OSError, ValueError):
            with suppress(OSError):
                path.unlink()
            return None
        os.utime(path)
        return found

    def put(self, key: str, top: TopK) -> None:
        """Keep targets."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        # Not synced to the disk: what a power cut leaves of it is damaged, and found to be.
        draft.write_bytes(_packed(top))
        draft.replace(path)

    def prune(self) -> int:
        """Let go of those that were used least recently where there are too many; returns how many went."""
        found = [(path, path.stat()) for path in self._folder.glob("??/*")]
        size, gone = sum(state.st_size for _, state in found), 0
        if size <= self._limit:
            return 0
        for path, state in sorted(found, key=lambda item: item[1].st_mtime_ns):
            if size <= EMPTIED * self._limit:
                break
            path.unlink(missing_ok=True)
            size, gone = size - state.st_size, gone + 1
        return gone

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key


@dataclass(frozen=True, slots=True)
class Memory:
    """A store as one round uses it: of one teacher's version, `k` tokens at each position."""

    cache: TargetCache
    teacher: str
    k: int

    def holds(self, text: Encoded) -> bool:
        """Whether the targets of a text are at hand, unless they are damaged."""
        return self.cache.has(text_key(self.teacher, text, self.k))

    def recall(self, text: Encoded) -> TopK | None:
        """The targets of a text, one row for each token of its reply; None where they have to be asked for."""
        found = self.cache.get(text_key(self.teacher, text, self.k))
        return found if found is not None and len(found.ids) == len(text.tokens) - text.start else None

    def remember(self, text: Encoded, top: TopK) -> None:
        """Keep the targets of a text."""
        self.cache.put(text_key(self.teacher, text, self.k), top)


def _packed(top: TopK) -> bytes:
    shape = np.array(top.ids.shape, np.int32).tobytes()
    body = shape + top.ids.astype(np.int32).tobytes() + top.logprobs.astype(np.float32).tobytes()
    return hashlib.sha256(body).digest() + body


def _unpacked(raw: bytes) -> TopK:
    """The inverse of `_packed`; raises ValueError for what is not one."""
    if hashlib.sha256(raw[SEAL:]).digest() != raw[:SEAL]:
        raise ValueError("damaged")
    rows, k = np.frombuffer(raw, np.int32, 2, SEAL)
    numbers = np.frombuffer(raw, np.int32, offset=SEAL + 8).reshape(2, rows, k)
    return TopK(numbers[0].copy(), numbers[1].copy().view(np.float32))
