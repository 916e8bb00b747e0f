"""Rows that must not be parted: the same plain text, the same goal or template, or alike texts.

Alike: MinHash similarity of 0.7 of the sets of five-character runs, by datasketch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from datasketch import MinHash, MinHashLSH

from serving.guard.model.features import pieces
from trials.guard.rows import GuardRow

ALIKE = 0.7
PERMUTATIONS = 64
SHARED = ("plain", "goal", "question", "template", "dialogue")
"""Keys of `meta` that name what several rows were made of."""


def groups(rows: Sequence[GuardRow], texts: Sequence[str]) -> list[int]:
    """A number for each row, the same for those that must lie in one fold; `texts` are the rows' folded texts."""
    parent = list(range(len(rows)))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    first: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows):
        named = [("plain", row.text)]
        named += [("plain" if key == "plain" else key, str(row.meta[key])) for key in SHARED if row.meta.get(key)]
        for name in named:
            parent[root(number)] = root(first.setdefault(name, number))
    for number, others in enumerate(_alike(texts)):
        for other in others:
            parent[root(number)] = root(other)
    return [root(number) for number in range(len(rows))]


def _alike(texts: Sequence[str]) -> list[list[int]]:
    """For each text the earlier ones that are alike."""
    index = MinHashLSH(threshold=ALIKE, num_perm=PERMUTATIONS)
    known: list[MinHash] = []
    found: list[list[int]] = []
    for number, text in enumerate(texts):
        made = MinHash(PERMUTATIONS, seed=1, hashfunc=int)
        runs = np.unique(pieces(text).runs[1]) if text else np.empty(0, np.uint32)
        if len(runs):
            made.update_batch(runs.tolist())
        near = [other for other in index.query(made) if made.jaccard(known[other]) >= ALIKE] if len(runs) else []
        found.append(near)
        known.append(made)
        if len(runs):
            index.insert(number, made)
    return found


def fold_of(group: int, folds: int) -> int:
    """The fold of a group: by its number, mixed, so that neighbours are parted."""
    return (group * 2654435761 >> 7) % folds
