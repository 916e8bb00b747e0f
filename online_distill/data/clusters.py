"""Prompts that are worded alike, without a label of anybody's: leader clustering over character n-grams.

The first prompt of a cluster leads it; a prompt belongs to the first leader that is like it, so that no later
one changes what it belongs to. scikit-learn's BIRCH and MiniBatchKMeans were considered: their clusters move
as they learn, and what is never trained on must stay where it is.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback.texts import language, normal
from understudy.ids import stable_id, unit_fraction

ALIKE = 0.45
"""Cosine above which a prompt belongs to a leader."""
MOST = 2000
"""Clusters; what is like none of them joins the likest."""
WIDTH = 1024
"""Buckets into which n-grams are hashed."""
GRAM = {"en": 4, "zh": 2}
LONGEST = 2000
"""Characters of a prompt that are looked at."""
CODE = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z]{1,12}-?)?\d[A-Za-z0-9]*")
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")


def masked(text: str) -> str:
    """`text` with its numbers and codes as #, and capitalised words inside a sentence as @."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST])
    return normal(NAME.sub("@", CODE.sub("#", plain)))


def is_reserved(cluster: str, share: float) -> bool:
    """Whether a cluster is one of the `share` that are judged on and never trained on."""
    return unit_fraction("cluster", cluster) < share


class Clusters:
    """Ids of clusters, given out one prompt after the other; `leaders` are the masked prompts of those so far."""

    def __init__(self, leaders: Sequence[str] = (), most: int = MOST) -> None:
        self._most = most
        self.leaders = list(leaders[:most])
        self._ids = [_id(leader) for leader in self.leaders]
        self._known: dict[str, str] = {}
        self._vectors = np.zeros((most, WIDTH), np.float32)
        for place, leader in enumerate(self.leaders):
            self._vectors[place] = _vector(leader)

    def of(self, prompt: str) -> str:
        """The id of the cluster that the prompt belongs to; a prompt that is like no other leads a new one."""
        plain = masked(prompt)
        if plain not in self._known:
            self._known[plain] = self._ids[self._place(plain)]
        return self._known[plain]

    def _place(self, plain: str) -> int:
        vector = _vector(plain)
        cosines = self._vectors[: len(self.leaders)] @ vector
        near = np.flatnonzero(cosines >= ALIKE)
        if len(near):
            return int(near[0])
        if len(self.leaders) == self._most:
            return int(cosines.argmax())
        self._vectors[len(self.leaders)] = vector
        self.leaders.append(plain)
        self._ids.append(_id(plain))
        return len(self.leaders) - 1

    def names(self) -> dict[str, str]:
        """The leader's masked prompt of each cluster, by id."""
        return dict(zip(self._ids, self.leaders, strict=True))


def _id(leader: str) -> str:
    return stable_id("cluster", leader)[:12]


def _vector(plain: str) -> NDArray[np.float32]:
    """Damped counts of hashed n-grams, of length 1."""
    size = GRAM[language(plain)]
    found = np.zeros(WIDTH, np.float32)
    grams: Any = [zlib.crc32(plain[i : i + size].encode()) % WIDTH for i in range(max(1, len(plain) - size + 1))]
    np.add.at(found, grams, 1.0)
    found = np.sqrt(found)
    return (found / np.linalg.norm(found)).astype(np.float32)
