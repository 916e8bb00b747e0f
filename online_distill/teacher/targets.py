"""Soft targets: a teacher's top-k log-probabilities at the reply positions of one text.

Tokens are texts in another alphabet, and the likeliest ones say nearly as much; so on disk each text's are sealed under
the key of its tenant, as the rows are that they were made of (`feedback.privacy.vault`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from feedback.privacy.vault import Purged, Vault
from understudy.errors import IntegrityError
from understudy.files import write_atomic

SHARDS = "shard-*.targets"


@dataclass(frozen=True, slots=True)
class TopK:
    """For each of n reply positions the teacher's k likeliest tokens, likeliest first.

    ids: (n, k) int32, distinct in a row; logprobs: (n, k) float32, natural, at temperature 1.
    """

    ids: NDArray[np.int32]
    logprobs: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scored:
    """A text with its targets: `tokens[start:]` is the reply, one row of `top` for each of its tokens."""

    key: str
    tokens: NDArray[np.int32]
    start: int
    weight: float
    top: TopK
    tenant: str = "default"
    at: float = 0.0
    """Seconds since the epoch, when the tenant's exchange happened."""


class PackedTopK(msgspec.Struct, frozen=True):
    """Targets as bytes; k of them at each position."""

    k: int
    ids: bytes
    logprobs: bytes


class PackedText(msgspec.Struct, frozen=True):
    """What of a text is sealed."""

    tokens: bytes
    start: int
    top: PackedTopK


class ShardEntry(msgspec.Struct, frozen=True):
    """One text in a shard; `body` is a `PackedText`, sealed or, where nothing was, as it is."""

    key: str
    weight: float
    tenant: str
    at: float
    sealed: bool
    body: bytes


def packed(top: TopK) -> PackedTopK:
    """Targets as they are stored."""
    ids, logprobs = np.ascontiguousarray(top.ids, "<i4"), np.ascontiguousarray(top.logprobs, "<f4")
    return PackedTopK(top.ids.shape[1], ids.tobytes(), logprobs.tobytes())


def unpacked(stored: PackedTopK) -> TopK:
    """The inverse of `packed`.

    Raises:
        ValueError: it is none.
    """
    ids = np.frombuffer(stored.ids, "<i4").astype(np.int32).reshape(-1, stored.k)
    return TopK(ids, np.frombuffer(stored.logprobs, "<f4").astype(np.float32).reshape(ids.shape))


def save_shard(path: Path, items: Sequence[Scored], vault: Vault | None = None) -> None:
    """Write the items as one file, whole or not at all, sealed where there is a vault; less what was purged."""
    write_atomic(path, msgspec.msgpack.encode(list(_entries(items, vault))))


def _entries(items: Sequence[Scored], vault: Vault | None) -> Iterator[ShardEntry]:
    for item in items:
        tokens = np.ascontiguousarray(item.tokens, "<i4").tobytes()
        body = msgspec.msgpack.encode(PackedText(tokens, item.start, packed(item.top)))
        with suppress(Purged):
            hidden = vault.seal_bytes(item.tenant, item.at, item.key, body) if vault else body
            yield ShardEntry(item.key, item.weight, item.tenant, item.at, vault is not None, hidden)


def load_shard(path: Path, vault: Vault | None = None) -> list[Scored]:
    """The items of one shard, less those of a tenant that was purged since.

    Raises:
        IntegrityError: the file is not a shard.
        Sealed: a key is not here although its tenant was not purged.
    """
    found = []
    try:
        for entry in msgspec.msgpack.decode(path.read_bytes(), type=list[ShardEntry]):
            with suppress(Purged):
                found.append(_scored(entry, vault))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path} is not a shard of targets ({error}); delete it and score again") from error
    return found


def _scored(entry: ShardEntry, vault: Vault | None) -> Scored:
    body = entry.body
    if entry.sealed:
        if vault is None:
            raise ValueError("it is sealed, and no keys are at hand")
        body = vault.open_bytes(entry.tenant, entry.at, entry.key, body)
    text = msgspec.msgpack.decode(body, type=PackedText)
    tokens = np.frombuffer(text.tokens, "<i4").astype(np.int32)
    return Scored(entry.key, tokens, text.start, entry.weight, unpacked(text.top), entry.tenant, entry.at)


def load_all(folder: Path, vault: Vault | None = None) -> list[Scored]:
    """Every scored text of the folder's shards, in the order of their writing; each key once."""
    found: dict[str, Scored] = {}
    for path in sorted(folder.glob(SHARDS)):
        for item in load_shard(path, vault):
            found.setdefault(item.key, item)
    return list(found.values())
