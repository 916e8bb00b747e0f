"""How long the redactor takes for turns as people write them, beside another version of itself in the same run.

Texts are stretches of real turns of one length, none of which comes twice, so that nothing of the one before helps.
CPU time of the thread is what counts: with it the interpreter is held.
"""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import mean
from typing import Any

from feedback.privacy.detect.finding import find, read
from feedback.privacy.detect.labels import Labels
from feedback.privacy.detect.numbers import crowds, numbers
from trials.turns import Turns, turns

LENGTHS = {500: 40.0, 8000: 400.0}
"""Characters of a text -> microseconds that are asked for."""
CHARACTERS = 400_000
"""Of all texts of one length and sort."""
WARM = 20
RICH = 4
"""Digits of a turn, at least, that counts as rich in them."""
FORMER = "tests.feedback.privacy.oracle.finding"
"""The version that the tests keep as their oracle; found in a checkout alone."""
Finder = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class RedactionSpeed:
    """Microseconds a text; the ratio is the other version's time for the same texts through ours.

    `turns` is of English, of Chinese, of both, or of those of both that are rich in digits. `reading` and `numbers` are
    the share of the mean that the one pass over the text and the judging of its numbers take.
    """

    turns: str
    length: int
    texts: int
    source: str
    mean: float
    p50: float
    p99: float
    least: float
    reading: float
    numbers: float
    asked: float
    other: float | None
    ratio: float | None


def speeds(share: float, against: str = FORMER) -> list[RedactionSpeed]:
    """Measure each sort and length with a `share` of the texts, and `against` where it can be imported."""
    other = _finder(against)
    return [
        _speed(name, spoken, length, asked, share, other)
        for name, spoken in sorts().items()
        for length, asked in LENGTHS.items()
    ]


def sorts() -> dict[str, Turns]:
    """The turns that are measured, by name."""
    english, chinese = turns("en"), turns("zh")
    both = Turns(english.source, tuple(sorted({*english.texts, *chinese.texts})))
    rich = tuple(text for text in both.texts if sum(map(str.isdecimal, text)) >= RICH)
    return {"English": english, "Chinese": chinese, "mixed": both, "rich in digits": Turns(both.source, rich)}


def _speed(name: str, spoken: Turns, length: int, asked: float, share: float, other: Finder | None) -> RedactionSpeed:
    count = max(10, round(CHARACTERS * share / length))
    texts = list(islice(spoken.stretches(length), WARM + count))
    times = _times(find, texts)
    before = None if other is None else mean(_times(other, texts))
    ordered = sorted(times)
    return RedactionSpeed(
        turns=name,
        length=length,
        texts=len(times),
        source=spoken.source,
        mean=mean(times),
        p50=ordered[len(ordered) // 2],
        p99=ordered[len(ordered) * 99 // 100],
        least=ordered[0],
        reading=mean(_times(read, texts)),
        numbers=mean(_times(_numbers, [read(text) for text in texts])),
        asked=asked,
        other=before,
        ratio=before / mean(times) if before else None,
    )


def _numbers(reading: Any) -> None:
    list(numbers(reading.text, Labels(reading.lower), crowds(reading)))


def _finder(module: str) -> Finder | None:
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError:
        return None
    return lambda text: list(loaded.find(loaded.plain(text)))


def _times(finder: Callable[[Any], object], texts: Sequence[Any]) -> list[float]:
    gc.collect()
    gc.freeze()  # what the benchmark itself holds is not walked through in the midst of a text
    times = []
    for text in texts:
        began = time.thread_time_ns()
        finder(text)
        times.append((time.thread_time_ns() - began) / 1000)
    gc.unfreeze()
    return times[WARM:]
