"""Near-duplicates of inputs: MinHash over character shingles, banded for lookup in Redis."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasketch import MinHash

PERMUTATIONS = 64
ROWS = 8
SHINGLE = 4
SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Sketch:
    """`signature` estimates Jaccard similarity; texts that share a band are candidates."""

    signature: str
    """64 numbers of 32 bits, base64."""
    bands: tuple[str, ...]


def sketch(text: str, realm: str = "") -> Sketch:
    """The sketch of `text`, case and white space aside; only texts of one realm share bands."""
    plain = SPACE.sub(" ", text.strip().lower())
    shingles = {plain[i : i + SHINGLE] for i in range(max(1, len(plain) - SHINGLE + 1))}
    made = MinHash(num_perm=PERMUTATIONS, seed=1)
    made.update_batch([s.encode() for s in shingles])
    values = made.hashvalues.astype(np.uint32)
    bands = [
        f"{i}:{_digest(values[i * ROWS : (i + 1) * ROWS].tobytes() + realm.encode())}"
        for i in range(PERMUTATIONS // ROWS)
    ]
    return Sketch(base64.b64encode(values.tobytes()).decode(), tuple(bands))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def similarity(one: str, other: str) -> float:
    """Estimated Jaccard similarity of two signatures, with a standard error of at most 0.063."""
    return float(np.mean(_values(one) == _values(other)))


def _values(signature: str) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return np.frombuffer(base64.b64decode(signature), dtype=np.uint32)
