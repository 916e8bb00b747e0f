"""How long the redactor takes for turns as people write them, beside another version of itself in the same run.

Texts are stretches of real turns of one length, none of which comes twice, so that nothing of the one before helps.
CPU time of the thread is what counts: with it the interpreter is held.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from feedback.privacy.detect.finding import find, plain
from trials.turns import turns

LENGTHS = {500: 40.0, 8000: 400.0}
"""Characters of a text -> microseconds that are asked for."""
CHARACTERS = 400_000
"""Of all texts of one length and language."""
WARM = 20
FORMER = "tests.feedback.privacy.oracle.finding"
"""The version that the tests keep as their oracle; found in a checkout alone."""
Finder = Callable[[str], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class RedactionSpeed:
    """Microseconds a text; the ratio is the other version's time for the same texts through ours."""

    language: str
    length: int
    texts: int
    source: str
    mean: float
    p50: float
    p99: float
    asked: float
    other: float | None
    ratio: float | None


def speeds(share: float, against: str = FORMER) -> list[RedactionSpeed]:
    """Measure each length and language with a `share` of the texts, and `against` where it can be imported."""
    other = _finder(against)
    found = []
    for name in ("en", "zh"):
        spoken = turns(name)
        for length, asked in LENGTHS.items():
            texts = list(islice(spoken.stretches(length), WARM + max(10, round(CHARACTERS * share / length))))
            times = _times(lambda text: find(plain(text)), texts)
            mean = sum(times) / len(times)
            before = None if other is None else sum(_times(other, texts)) / len(times)
            ordered = sorted(times)
            found.append(
                RedactionSpeed(
                    name,
                    length,
                    len(times),
                    spoken.source,
                    mean,
                    ordered[len(ordered) // 2],
                    ordered[len(ordered) * 99 // 100],
                    asked,
                    before,
                    before / mean if before else None,
                )
            )
    return found


def _finder(module: str) -> Finder | None:
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError:
        return None
    return lambda text: list(loaded.find(loaded.plain(text)))


def _times(finder: Finder, texts: Sequence[str]) -> list[float]:
    times = []
    for text in texts:
        began = time.thread_time()
        finder(text)
        times.append((time.thread_time() - began) * 1e6)
    return times[WARM:]
