"""Soft targets: a teacher's top-k log-probabilities at the reply positions of one text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.errors import IntegrityError
from understudy.files import write_atomic


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


def save_shard(path: Path, items: Sequence[Scored]) -> None:
    """Write the items as one .npz file, whole or not at all."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        keys=np.array([item.key for item in items]),
        lengths=np.array([len(item.tokens) for item in items], np.int32),
        starts=np.array([item.start for item in items], np.int32),
        weights=np.array([item.weight for item in items], np.float32),
        tokens=np.concatenate([item.tokens for item in items]).astype(np.int32),
        ids=np.concatenate([item.top.ids for item in items]).astype(np.int32),
        logprobs=np.concatenate([item.top.logprobs for item in items]).astype(np.float32),
    )
    write_atomic(path, buffer.getvalue())


def load_shard(path: Path) -> list[Scored]:
    """The items of one shard.

    Raises:
        IntegrityError: the file is not a shard.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            parts = {name: stored[name] for name in stored.files}
        return _split(parts)
    except (OSError, ValueError, KeyError) as error:
        raise IntegrityError(f"{path} is not a shard of targets ({error}); delete it and score again") from error


def _split(parts: dict[str, NDArray[np.generic]]) -> list[Scored]:
    items, token, row = [], 0, 0
    for index, key in enumerate(parts["keys"]):
        length, start = int(parts["lengths"][index]), int(parts["starts"][index])
        rows = slice(row, row + length - start)
        top = TopK(parts["ids"][rows].astype(np.int32), parts["logprobs"][rows].astype(np.float32))
        tokens = parts["tokens"][token : token + length].astype(np.int32)
        items.append(Scored(str(key), tokens, start, float(parts["weights"][index]), top))
        token, row = token + length, rows.stop
    return items


def load_all(folder: Path) -> list[Scored]:
    """Every scored text of the folder's shards, in the order of their writing; each key once."""
    found: dict[str, Scored] = {}
    for path in sorted(folder.glob("shard-*.npz")):
        for item in load_shard(path):
            found.setdefault(item.key, item)
    return list(found.values())
