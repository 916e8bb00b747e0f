"""Targets that were asked for before: a bounded store of files, found again by teacher, tokens and k.

A tenant has a folder of its own, its files are sealed under its key, and their names are hashed under it, so that
nobody else can try what was asked. A file that is damaged counts as absent. Those that nobody has used for longest go
first. diskcache was considered: it keeps small values in SQLite, which one writer locks; here each value is a file
that is whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from deploy.rounds.forgetting import targets_of
from feedback.privacy.vault import Purged, Sealed, Vault
from online_distill.data.encoding import Encoded
from online_distill.teacher.targets import PackedTopK, TopK, packed, unpacked
from online_distill.teacher.texts import Text

EMPTIED = 0.9
"""Share of the bound that is left when the store is emptied."""


def text_key(teacher: str, text: Encoded, k: int) -> str:
    """What targets are found by: the teacher's version, every token, where the reply begins, and k."""
    sha = hashlib.sha256(f"{teacher}|{text.start}|{k}|".encode())
    sha.update(np.array(text.tokens, np.int32).tobytes())
    return sha.hexdigest()


class TargetCache:
    """Targets in files of `folder`, `limit` bytes of them at most after `prune`. One process writes at a time."""

    def __init__(self, folder: Path, limit: int, vault: Vault) -> None:
        self._folder, self._limit, self._vault = folder, limit, vault

    def has(self, tenant: str, key: str) -> bool:
        """Whether there is a file; `get` says whether it is sound."""
        return self._path(tenant, key).is_file()

    def get(self, tenant: str, at: float, key: str) -> TopK | None:
        """The targets, which count as used now; None where there are none, or nobody can read them.

        `at`: when the tenant's exchange happened (seconds since the epoch), as a purge looks at it.
        """
        path = self._path(tenant, key)
        try:
            raw = self._vault.open_bytes(tenant, at, key, path.read_bytes())
            found = unpacked(msgspec.msgpack.decode(raw, type=PackedTopK))
        except (OSError, ValueError, Sealed, Purged):
            with suppress(OSError):
                path.unlink()
            return None
        os.utime(path)
        return found

    def put(self, tenant: str, at: float, key: str, top: TopK) -> None:
        """Keep targets, but those of a tenant that was purged meanwhile."""
        with suppress(Purged):
            raw = self._vault.seal_bytes(tenant, at, key, msgspec.msgpack.encode(packed(top)))
            path = self._path(tenant, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}")
            # Not synced to the disk: what a power cut leaves of it is damaged, and found to be.
            draft.write_bytes(raw)
            draft.replace(path)

    def prune(self) -> int:
        """Let go of those that were used least recently where there are too many; returns how many went."""
        found = [(path, path.stat()) for path in self._folder.glob("*/*")]
        size, gone = sum(state.st_size for _, state in found), 0
        if size <= self._limit:
            return 0
        for path, state in sorted(found, key=lambda item: item[1].st_mtime_ns):
            if size <= EMPTIED * self._limit:
                break
            path.unlink(missing_ok=True)
            size, gone = size - state.st_size, gone + 1
        return gone

    def _path(self, tenant: str, key: str) -> Path:
        return targets_of(self._folder, tenant) / self._vault.salted(tenant, key)


@dataclass(frozen=True, slots=True)
class Memory:
    """A store as one round uses it: of one teacher's version, `k` tokens at each position."""

    cache: TargetCache
    teacher: str
    k: int

    def holds(self, text: Text) -> bool:
        """Whether the targets of a text are at hand, unless they are damaged."""
        return self.cache.has(text.tenant, self._key(text.encoded))

    def recall(self, text: Text) -> TopK | None:
        """The targets of a text, one row for each token of its reply; None where they have to be asked for."""
        encoded = text.encoded
        found = self.cache.get(text.tenant, text.at, self._key(encoded))
        return found if found is not None and len(found.ids) == len(encoded.tokens) - encoded.start else None

    def remember(self, text: Text, learned: Encoded, top: TopK) -> None:
        """Keep the targets of what is learned instead of a text, which is the text itself where it could be forced."""
        self.cache.put(text.tenant, text.at, self._key(learned), top)

    def _key(self, encoded: Encoded) -> str:
        return text_key(self.teacher, encoded, self.k)
