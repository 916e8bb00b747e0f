"""Hashed pieces of a folded text: runs of three to five characters, pairs of Han, neighbouring words.

Runs are taken as if no blank stood between words, so that spacing hides little. A word is known by its first five
characters: with the next one it is a piece, with the one after that another. scikit-learn's HashingVectorizer was
considered: it takes a millisecond for what takes some 20 us here.
"""

from __future__ import annotations

import functools

import msgspec
import numpy as np
from numpy.typing import NDArray

BITS = 18
"""Log2 of the buckets."""
BUCKETS = 1 << BITS
LONGEST = 1 << 15
"""Characters of one call; a longer text is scored in pieces."""

_SHIFT = np.uint32(32 - BITS)
_P = np.uint32(0x01000193)
_RUNS = tuple(np.array([0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35], np.uint32))
_PAIR = np.uint32(0xB5297A4D)
_NEIGHBOURS = np.array([[0x27D4EB2F], [0x165667B1]], np.uint32)
"""By which a word is mixed with the next one, and with the one after that."""
_HAN = 0x2E80
"""From here on a character says as much as two or three Latin ones."""
_PAD = b"\0" * 4
_NOWHERE, _BEFORE = np.empty(0, np.intp), np.zeros(1, np.intp)


class TextPieces(msgspec.Struct, frozen=True, gc=False):
    """Buckets of the pieces of a text of `n` characters without blanks, and where each begins.

    All of them lie in `buckets`, behind one another, so that their weights are gathered in one go: runs, words, pairs.
    """

    n: int
    buckets: NDArray[np.uint32]
    starts: NDArray[np.intp]
    """Where the words begin of which each is known with its next ones; beyond the end where a text ends in blanks."""
    pair_at: NDArray[np.intp]
    """Where each pair begins."""

    @property
    def runs(self) -> NDArray[np.uint32]:
        """Of each character, [3, n]: a row for each length of run."""
        return self.buckets[: 3 * self.n].reshape(3, self.n)

    @property
    def words(self) -> NDArray[np.uint32]:
        """Of each word with the next one, and with the one after that, [2, words]."""
        return self.buckets[3 * self.n : 3 * self.n + 2 * len(self.starts)].reshape(2, len(self.starts))

    @property
    def pairs(self) -> NDArray[np.uint32]:
        """Of Han characters with what follows."""
        return self.buckets[len(self.buckets) - len(self.pair_at) :]

    @property
    def word_at(self) -> NDArray[np.intp]:
        """Where each of `words` begins."""
        return np.minimum(self.starts, self.n - 1)


def pieces(text: str) -> TextPieces:
    """TextPieces of `text`, of which the first `LONGEST` characters count."""
    if len(text) > LONGEST:
        text = text[:LONGEST]
    if text.isascii():
        raw = b" " + text.encode("ascii")
        blanks = (np.frombuffer(raw, np.uint8) == 0x20).nonzero()[0]
        dense = np.frombuffer(raw.translate(None, b" ") + _PAD, np.uint8).astype(np.uint32)
        han = _NOWHERE
    else:
        told = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        seen = told != 0x20
        blanks = np.concatenate((_BEFORE, (~seen).nonzero()[0] + 1))
        dense = np.zeros(len(told) - len(blanks) + 1 + len(_PAD), np.uint32)
        dense[: -len(_PAD)] = told[seen]
        han = (dense >= _HAN).nonzero()[0]
    n = len(dense) - len(_PAD)
    count = max(len(blanks) - 2, 0) if n else 0  # a blank is thought before the text, so that each begins a word
    buckets = np.empty(3 * n + 2 * count + len(han), np.uint32)
    two = dense[:-1] * _P
    two += dense[1:]
    hashed = two
    for order, mix in enumerate(_RUNS):
        hashed = hashed[:-1] * _P
        hashed += dense[order + 2 :]
        np.multiply(hashed[:n], mix, out=buckets[order * n : (order + 1) * n])
    starts = _NOWHERE
    if count:
        at = blanks - _counted()[: count + 2]
        known = hashed.take(at, mode="clip")  # five characters of each word
        words = buckets[3 * n : 3 * n + 2 * count].reshape(2, count)
        np.multiply(known[:count], _NEIGHBOURS, out=words)
        words[0] += known[1:-1]
        words[1] += known[2:]
        words *= _RUNS[0]
        starts = at[:count]
    if len(han):
        np.multiply(two[han], _PAIR, out=buckets[3 * n + 2 * count :])
    buckets >>= _SHIFT
    return TextPieces(n, buckets, starts, han)


@functools.cache
def _counted() -> NDArray[np.intp]:
    return np.arange(LONGEST + 1)
