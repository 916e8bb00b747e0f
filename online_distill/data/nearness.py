"""Near-duplicates of held-out prompts: what is worded nearly as they are is not trained on.

By MinHash as the hard pool finds its own. Prompts with other numbers, dates or codes in them are different questions
with different answers, however alike their words: kinds of traffic are made of such prompts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from feedback.pool.minhash import Sketch, similarity, sketch
from feedback.texts import prompt_text, tokens
from online_distill.data.rows import Row

ALIKE: Final = 0.9
"""Estimated Jaccard similarity of character shingles from which on two prompts are one."""
NUMBER = re.compile(r"\S*\d\S*")


def apart(train: Sequence[Row], held: Iterable[Row]) -> list[Row]:
    """The rows of `train` of which no near-duplicate is among the `held` ones, in their order."""
    texts = [_words(row) for row in train]
    codes = [_codes(text) for text in texts]
    wanted = set(codes)
    known = _Sketches()
    for row in held:
        text = _words(row)
        if (said := _codes(text)) in wanted:
            known.add(sketch(text, said))
    return [row for row, text, said in zip(train, texts, codes, strict=True) if not known.has_twin(sketch(text, said))]


class _Sketches:
    """Sketches, found again by a band that they share."""

    def __init__(self) -> None:
        self._by_band: dict[str, set[str]] = {}

    def add(self, made: Sketch) -> None:
        for band in made.bands:
            self._by_band.setdefault(band, set()).add(made.signature)

    def has_twin(self, made: Sketch) -> bool:
        candidates = set().union(*(self._by_band.get(band, ()) for band in made.bands))
        return any(similarity(made.signature, other) >= ALIKE for other in candidates)


def _words(row: Row) -> str:
    """The prompt without punctuation and system messages."""
    return " ".join(tokens(prompt_text(row.messages)))


def _codes(text: str) -> str:
    """Numbers and what holds a digit, each with how often; the realm in which its duplicates are sought."""
    return " ".join(sorted(NUMBER.findall(text)))
