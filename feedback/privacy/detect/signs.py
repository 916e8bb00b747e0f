"""Where the words are that detectors look for: one pass over a text for all of them.

`word in text` takes 40 to 150 ns for each of hundreds of words, and a regular expression of them all 100 us for a turn.
Here the pairs and triples of successive characters are hashed, all at once by numpy, and looked up in a table of those
that words hold; at the few places that are left the words are compared. pyahocorasick was considered: it is another
compiled dependency, and builds a Python object for each character of each word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

Places = Mapping[str, Sequence[int]]
"""Word -> where it begins, in order; of words that do not occur nothing."""
Units = np.ndarray[tuple[int], np.dtype[np.uint16]]
SLOTS = 1 << 16
_FIRST, _SECOND = np.uint16(0x9E37), np.uint16(0x6A6D)
COMMON = " etaoinshrdlucmfwygpbvkxqjz"
"""Letters by how often they come, most often first."""


class Signs:
    """A set of words in lower case."""

    def __init__(self, words: Iterable[str]) -> None:
        self._single: list[str] = []
        self._pairs: dict[str, list[tuple[str, int]]] = {}
        self._triples: dict[str, list[tuple[str, int]]] = {}
        for word in sorted(set(words)):
            if not word or max(map(ord, word)) >= SLOTS:
                raise ValueError(f"no word of the basic plane: {word!r}")
            if len(word) == 1:
                self._single.append(word)
                continue
            grams, length = (self._pairs, 2) if len(word) == 2 else (self._triples, 3)
            at = min(range(len(word) - length + 1), key=lambda at: _commonness(word[at : at + length]))
            grams.setdefault(word[at : at + length], []).append((word, at))
        self._of_pairs = _table(self._pairs)
        self._of_triples = _table(self._triples)

    def places(self, text: str, codes: Units) -> Places:
        """Where each of the words is in `text`, of which `codes` are the units; one that overlaps itself comes once."""
        found = {sign: _all(sign, text) for sign in self._single if sign in text}
        if len(text) < 2:
            return found
        pairs, triples = _hashes(codes)
        _confirm(text, self._of_pairs[pairs].nonzero()[0].tolist(), 2, self._pairs, found)
        _confirm(text, self._of_triples[triples].nonzero()[0].tolist(), 3, self._triples, found)
        return found


def units(text: str) -> Units:
    """The characters of a text as numbers; those beyond the basic plane as some within it."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8).astype(np.uint16)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint16)


def _hashes(codes: Units) -> tuple[Units, Units]:
    pairs = codes[:-1] * _FIRST
    pairs += codes[1:]
    triples = pairs[:-1] * _SECOND
    triples += codes[2:]
    return pairs, triples


def _table(grams: Iterable[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    table = np.zeros(SLOTS, np.bool_)
    for gram in grams:
        table[_hashes(units(gram))[len(gram) - 2]] = True
    return table


def _confirm(
    text: str, hits: list[int], length: int, grams: dict[str, list[tuple[str, int]]], found: dict[str, list[int]]
) -> None:
    for hit in hits:
        for word, offset in grams.get(text[hit : hit + length], ()):
            at = hit - offset
            if at >= 0 and text.startswith(word, at):
                places = found.get(word)
                if places is None:
                    found[word] = [at]
                elif at >= places[-1] + len(word):
                    places.append(at)


def _all(sign: str, text: str) -> list[int]:
    places, at = [], text.find(sign)
    while at >= 0:
        places.append(at)
        at = text.find(sign, at + 1)
    return places


def _commonness(gram: str) -> int:
    return -sum(COMMON.index(c) if c in COMMON else len(COMMON) for c in gram)
