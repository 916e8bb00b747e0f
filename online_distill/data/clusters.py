"""Prompts that are worded alike, without a label of anybody's: leader clustering over character n-grams.

The first prompt of a cluster leads it; a prompt belongs to the first leader that is like it, so that no later
one changes what it belongs to. scikit-learn's BIRCH and MiniBatchKMeans were considered: their clusters move
as they learn, and what is never trained on must stay where it is.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.rounds.leading import ClusterLeader
from feedback.texts import language, normal
from understudy.ids import stable_id

ALIKE = 0.45
"""Cosine above which a prompt belongs to a leader."""
KIN = 0.2
"""Cosine above which the likest cluster may stand in, in training, for one that is reserved."""
MOST = 2000
"""Clusters; what is like none of them joins the likest."""
WIDTH = 1024
"""Buckets into which n-grams are hashed."""
RESERVED = "r-"
"""Beginning of the ids of clusters that are never trained on."""
GRAM = {"en": 4, "zh": 2}
LONGEST = 2000
"""Characters of a prompt that are looked at."""
NO_WORDS = "-"
"""Leads prompts without words; an empty leader is one that was purged."""
CODE = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z]{1,12}-?)?\d[A-Za-z0-9]*")
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")


def masked(text: str) -> str:
    """`text` with its numbers and codes as #, and capitalised words inside a sentence as @."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST])
    return normal(NAME.sub("@", CODE.sub("#", plain)))


def is_reserved(cluster: str) -> bool:
    """Whether a cluster, by its id, is one of those that are judged on and never trained on."""
    return cluster.startswith(RESERVED)


class Clusters:
    """Ids of clusters, given out one prompt after the other; `led` are the masked prompts of those so far.

    Of the clusters `reserved`, a share, are never trained on. None is reserved unless the likest one before it
    is near and trained on, so that no kind of prompts is left out whole. `salt` gives what an id is hashed with
    besides the masked prompt of a tenant, so that nobody else finds out by its id what was asked.
    """

    def __init__(
        self,
        led: Sequence[ClusterLeader] = (),
        *,
        reserved: float = 0.2,
        most: int = MOST,
        salt: Callable[[str], str] = lambda tenant: "",
    ) -> None:
        self._most, self._share, self._salt = most, reserved, salt
        self.led: list[ClusterLeader] = []
        self._ids: list[str] = []
        self._known: dict[str, str] = {}
        self._vectors = np.zeros((most, WIDTH), np.float32)
        for leader in led[:most]:
            self._lead(leader, _vector(leader.prompt))

    def of(self, prompt: str, tenant: str = "default", at: float = 0.0) -> str:
        """The id of the cluster that the prompt belongs to; a prompt that is like no other leads a new one."""
        plain = masked(prompt) or NO_WORDS
        if plain not in self._known:
            self._known[plain] = self._ids[self._place(ClusterLeader(id="", tenant=tenant, at=at, prompt=plain))]
        return self._known[plain]

    def _place(self, asked: ClusterLeader) -> int:
        vector = _vector(asked.prompt)
        cosines = self._vectors[: len(self.led)] @ vector
        near = np.flatnonzero(cosines >= ALIKE)
        if len(near):
            return int(near[0])
        if len(self.led) == self._most:
            return int(cosines.argmax())
        return self._lead(asked, vector)

    def _lead(self, leader: ClusterLeader, vector: NDArray[np.float32]) -> int:
        place = len(self.led)
        identity = self._kept_id(leader.id) if leader.id else self._new_id(leader, vector)
        self._vectors[place] = vector
        self.led.append(leader.model_copy(update={"id": identity}))
        self._ids.append(identity)
        return place

    def _kept_id(self, identity: str) -> str:
        """As it was given out: what went before it may have been purged. Where none is reserved now, it is not."""
        return identity if self._share else identity.removeprefix(RESERVED)

    def _new_id(self, leader: ClusterLeader, vector: NDArray[np.float32]) -> str:
        place = len(self.led)
        room = sum(map(is_reserved, self._ids)) + 1 <= self._share * (place + 1)
        mark = RESERVED if room and self._has_free_kin(place, vector) else ""
        salt = [found] if (found := self._salt(leader.tenant)) else []
        return mark + stable_id("cluster", *salt, leader.prompt)[:12]

    def _has_free_kin(self, place: int, vector: NDArray[np.float32]) -> bool:
        """Whether the likest of the first `place` clusters is like enough, and trained on."""
        cosines = self._vectors[:place] @ vector
        likest = int(cosines.argmax()) if place else 0
        return place > 0 and bool(cosines[likest] >= KIN) and not is_reserved(self._ids[likest])

    def names(self) -> dict[str, str]:
        """The leader's masked prompt of each cluster, by id."""
        return {leader.id: leader.prompt for leader in self.led}


def _vector(plain: str) -> NDArray[np.float32]:
    """Damped counts of hashed n-grams, of length 1; zeros, which are like nothing, for a prompt that was purged."""
    if not plain:
        return np.zeros(WIDTH, np.float32)
    size = GRAM[language(plain)]
    found = np.zeros(WIDTH, np.float32)
    grams: Any = [zlib.crc32(plain[i : i + size].encode()) % WIDTH for i in range(max(1, len(plain) - size + 1))]
    np.add.at(found, grams, 1.0)
    found = np.sqrt(found)
    return (found / np.linalg.norm(found)).astype(np.float32)
