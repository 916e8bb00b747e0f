"""Hashed pieces of a folded text: runs of three to five characters, pairs of Han, neighbouring words.

Runs are taken as if no blank stood between words, so that spacing hides little. A word is known by its first five
characters: with the next one it is a piece, with the one after that another. scikit-learn's HashingVectorizer was
considered: it takes a millisecond for what takes some 20 us here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

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
_NEXT, _AFTER, _PAIR = tuple(np.array([0x27D4EB2F, 0x165667B1, 0xB5297A4D], np.uint32))
_HAN = 0x2E80
"""From here on a character says as much as two or three Latin ones."""
_PAD = b"\0" * 4
_NO_BUCKET, _NOWHERE = np.empty(0, np.uint32), np.empty(0, np.intp)


@dataclass(frozen=True, slots=True)
class TextPieces:
    """Buckets of the pieces of a text of `n` characters without blanks, and where each begins.

    `runs` is [3, n], a row for each length of run; `words` [2, words] begin at `word_at`, `pairs` at `pair_at`.
    """

    n: int
    runs: NDArray[np.uint32]
    words: NDArray[np.uint32]
    word_at: NDArray[np.intp]
    pairs: NDArray[np.uint32]
    pair_at: NDArray[np.intp]


def pieces(text: str) -> TextPieces:
    """TextPieces of `text`, of which the first `LONGEST` characters count."""
    if len(text) > LONGEST:
        text = text[:LONGEST]
    if text.isascii():
        raw = text.encode("ascii")
        blanks = np.flatnonzero(np.frombuffer(raw, np.uint8) == 0x20)
        dense = np.frombuffer(raw.translate(None, b" ") + _PAD, np.uint8).astype(np.uint32)
        han = _NOWHERE
    else:
        told = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        seen = told != 0x20
        blanks = np.flatnonzero(~seen)
        dense = np.zeros(len(told) - len(blanks) + len(_PAD), np.uint32)
        dense[: -len(_PAD)] = told[seen]
        han = np.flatnonzero(dense >= _HAN)
    n = len(dense) - len(_PAD)
    runs = np.empty((len(_RUNS), n), np.uint32)
    two = dense[:-1] * _P
    two += dense[1:]
    hashed = two
    for order, mix in enumerate(_RUNS):
        hashed = hashed[:-1] * _P
        hashed += dense[order + 2 :]
        np.multiply(hashed[:n], mix, out=runs[order])
    runs >>= _SHIFT
    words, word_at = _words(hashed, blanks, n)
    pairs = (two[han] * _PAIR) >> _SHIFT if len(han) else _NO_BUCKET
    return TextPieces(n, runs, words, word_at, pairs, han)


def _words(hashed: NDArray[np.uint32], blanks: NDArray[np.intp], n: int) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Each word with the next, and with the one after the next, [2, words]; `hashed` are five characters each."""
    count = len(blanks) - 1
    if count < 1 or n == 0:
        return np.empty((2, 0), np.uint32), _NOWHERE
    at = np.zeros(count + 2, np.intp)
    np.subtract(blanks, _counted()[: count + 1], out=at[1:])
    known = hashed.take(at, mode="clip")
    words = np.empty((2, count), np.uint32)
    np.multiply(known[:count], _NEXT, out=words[0])
    words[0] += known[1:-1]
    np.multiply(known[:count], _AFTER, out=words[1])
    words[1] += known[2:]
    words *= _RUNS[0]
    words >>= _SHIFT
    return words, np.minimum(at[:count], n - 1)


@functools.cache
def _counted() -> NDArray[np.intp]:
    return np.arange(LONGEST)
