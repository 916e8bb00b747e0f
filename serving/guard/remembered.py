"""Judgements of texts that were seen before, by keyed hash, so that a conversation's history is scored once."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict

from serving.guard.verdict import GuardJudgement

DIGEST = 16


class JudgementMemory:
    """At most `limit` judgements; the one that was not asked for longest goes first.

    The key is drawn anew in each process: nobody can prepare texts whose hashes meet, nor tell texts from the hashes.
    """

    def __init__(self, limit: int, key: bytes | None = None) -> None:
        self._limit = limit
        self._key = os.urandom(32) if key is None else key
        self._known: OrderedDict[bytes, GuardJudgement] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def name(self, text: str, kind: bytes) -> bytes:
        """What a text of a kind is known by."""
        raw = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(raw, digest_size=DIGEST, key=self._key, person=kind).digest()

    def get(self, name: bytes) -> GuardJudgement | None:
        """The judgement of the text of this name; None where it is not known."""
        found = self._known.get(name)
        if found is not None:
            self._known.move_to_end(name)
        return found

    def put(self, name: bytes, judgement: GuardJudgement) -> None:
        """Keep a judgement."""
        self._known[name] = judgement
        if len(self._known) > self._limit:
            self._known.popitem(last=False)

    def clear(self) -> None:
        """Forget all: other thresholds hold."""
        self._known.clear()
