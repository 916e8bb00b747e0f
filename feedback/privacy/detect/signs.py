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
Hits = np.ndarray[tuple[int], np.dtype[np.intp]]
SLOTS = 1 << 16
_FIRST, _SECOND, _THIRD = np.uint16(0x9E37), np.uint16(0x6A6D), np.uint16(0x58F1)
SOME_DIGIT, NOTHING = 0x0660, 0xFFFF
"""What stands for digits beyond the basic plane, and for all else there."""
DIGITS_BEYOND = np.fromiter((chr(code).isdecimal() for code in range(SLOTS, 2 * SLOTS)), np.bool_, SLOTS)
"""Of the second plane; the third and those behind it have none."""
FEW = 32
"""Places that are sooner compared with the words than hashed once more."""
COMMON = " etaoinshrdlucmfwygpbvkxqjz"
"""Letters by how often they come, most often first."""
COMMON_TRIPLES = (
    "| th|the|he |you| yo|ing| to|nd |ng |to |is | i |ed | an| re|ou | a |or | fo|and|for| wi| in|er |e t|e a|at |"
    " is| co|tha|re | it|ll |on |our|hat| ca|nt |ion|t t|e i|thi|ent|ur |tio|in |an | of|s a|der|d t|ate| de|it |"
    " be|of | ha|ve | pr|s t|und|ill|ive|her|me | on|ver|can|th | wa|ere|ith|con|ati|wil|e s| or|se |wit| no|ly |"
    "e c|sta|as | we|es |all| ma| pl|his|t i| ne|ld |e p| wh|n t| me|pro|lea|r t|day|e w|ave|res|ple|ess|oul|st |"
    "nce|ord|uld|ase| pa|eas|e f|est|e d|d a|te |ers| do| so|e o|han|d y|t a| ho| ar| al|ke | se|ay |e r| at| st|"
    " fr|rde| mo|hav|s i|ts |ank|men|ry |ow |ter|hin| da|d i|ut |ant|t w| li|g t|oun|be |ch | sh|en |cou|ook|pla|"
    "igh|per|app|sin|sur|cal|end|"
)
"""The same of three, spaces among them."""


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
        self._single_of_ascii = [word for word in self._single if word.isascii()]
        self._of_pairs = _table(self._pairs)
        self._of_triples = _table(self._triples)
        self._last = _table(
            gram for gram, held in self._triples.items() if any(word.endswith(gram) for word, _ in held)
        )
        """Triples that a word may end with."""
        self._and_next = np.zeros(SLOTS, np.bool_)
        """Others, hashed with the character behind them in a word."""
        for gram, held in self._triples.items():
            for word, at in held:
                if following := word[at + 3 : at + 4]:
                    self._and_next[_hashes(units(gram))[1] * _THIRD + units(following)] = True

    def places(self, text: str, codes: Units) -> Places:
        """Where each of the words is in `text`, of which `codes` are the units; one that overlaps itself comes once."""
        single = self._single_of_ascii if text.isascii() else self._single
        found = {sign: _all(sign, text) for sign in single if sign in text}
        if len(text) < 2:
            return found
        pairs, triples = _hashes(codes)
        _confirm(text, self._of_pairs.take(pairs).nonzero()[0].tolist(), 2, self._pairs, found)
        hits = self._of_triples.take(triples).nonzero()[0]
        if len(hits) > FEW:
            hits = self._by_next(hits, triples, codes)
        _confirm(text, hits.tolist(), 3, self._triples, found)
        return found

    def _by_next(self, hits: Hits, triples: Units, codes: Units) -> Hits:
        """Those of `hits`, places of triples, that the next character does not rule out."""
        held = triples.take(hits)
        following = codes.take(hits + 3, mode="clip")
        return hits[self._and_next.take(held * _THIRD + following) | self._last.take(held)]


def units(text: str) -> Units:
    """The characters of a text as numbers; of those beyond the basic plane it is told which are digits."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    if len(encoded) == 2 * len(text):
        return np.frombuffer(encoded, np.uint16)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    folded = codes.astype(np.uint16)
    beyond = codes >= SLOTS
    digits = DIGITS_BEYOND.take(folded[beyond]) & (codes[beyond] < 2 * SLOTS)
    folded[beyond] = np.where(digits, SOME_DIGIT, NOTHING)
    return folded


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
        at = text.find(sign, at + len(sign))
    return places


def _commonness(gram: str) -> tuple[int, int]:
    place = COMMON_TRIPLES.find(f"|{gram}|")
    return -place if place >= 0 else -len(COMMON_TRIPLES), -sum(
        COMMON.index(c) if c in COMMON else len(COMMON) for c in gram
    )
