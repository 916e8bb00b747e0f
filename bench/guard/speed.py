"""How long the guard takes for a new text, beside one plain pass over the text's runs of characters in the same run."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from serving.guard.cascade import Guard, GuardedText
from trials.turns import turns

LENGTHS = {500: 200, 8_000: 40, 32_000: 15}
"""Characters -> texts."""
ASKED = {("en", 500): 2.5, ("zh", 500): 4.0}
"""Times the plain pass that the guard may take, median."""
ASKED_LONGEST = 4_000.0
"""Microseconds that 32,000 characters may take."""
BITS = 18
_WEIGHTS = (np.random.default_rng(1).standard_normal(1 << BITS) * 0.01).astype(np.float32)
_P, _SHIFT = np.uint32(0x01000193), np.uint32(32 - BITS)
_MIX = tuple(np.array([0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35], np.uint32))


def plain_pass(text: str) -> float:
    """The yardstick: NFKC, case, runs of three to five bytes by one gather, and nothing else."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    byte = np.frombuffer(text.casefold().encode(), np.uint8).astype(np.uint32)
    n = byte.size
    if n < 5:
        return 0.0
    held = np.empty((3, n - 4), np.uint32)
    hashed = byte[:-1] * _P
    hashed += byte[1:]
    for order, mix in enumerate(_MIX):
        hashed = hashed[:-1] * _P
        hashed += byte[order + 2 :]
        np.multiply(hashed[: n - 4], mix, out=held[order])
    held >>= _SHIFT
    return float(np.add.reduce(_WEIGHTS.take(held.ravel()))) / n


def speeds(guard: Guard, quick: bool) -> list[dict[str, Any]]:
    """Median microseconds of the processor by language and length, of texts none of which comes twice."""
    found = []
    for spoken in ("en", "zh"):
        held = turns(spoken)
        for length, count in LENGTHS.items():
            texts = list(islice(held.stretches(length), max(10, count // (4 if quick else 1))))
            if spoken == "en":
                texts = [text.encode("ascii", "ignore").decode() for text in texts]
            mine, plain = _medians(texts, lambda text: guard.judge([GuardedText(text)]), plain_pass)
            asked = plain * ASKED[spoken, length] if (spoken, length) in ASKED else None
            asked = ASKED_LONGEST if length == max(LENGTHS) else asked
            found.append({
                "language": spoken, "length": length, "texts": len(texts), "source": held.source, "median": mine,
                "plain_pass": plain, "ratio": mine / plain, "asked": asked,
            })  # fmt: skip
    return found


def _medians(texts: Sequence[str], *runs: Callable[[str], object]) -> list[float]:
    """Median of each run over the texts, taken in turn so that the machine's mood meets all of them."""
    taken: list[list[float]] = [[] for _ in runs]
    for text in texts:
        for place, run in enumerate(runs):
            began = time.thread_time_ns()
            run(text)
            taken[place].append((time.thread_time_ns() - began) / 1e3)
    return [sorted(held)[len(held) // 2] for held in taken]
