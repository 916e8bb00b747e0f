"""Whether what is done to a text takes time that grows with its length alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

SHORT, LONG = 2000, 32_000
SLOW = 0.05
"""Seconds below which nothing is asked of the longer text; what is linear needs a tenth of them."""


def expect_linear(look: Callable[[str], object], parts: Iterable[str], heads: tuple[str, ...] = ("",)) -> None:
    """Sixteen times the text takes at most 64 times the time; what is quadratic would take 256 times."""
    for part in parts:
        for head in heads:
            short, long = (head + part * (size // len(part) + 1) + "!" for size in (SHORT, LONG))
            if (needed := _seconds(look, long)) > SLOW:
                assert needed < 64 * _seconds(look, short), f"{head!r} and many of {part!r}"


def _seconds(look: Callable[[str], object], text: str) -> float:
    """Processor time of this thread; the least of three, for the machine has other work."""
    taken = []
    for _ in range(3):
        started = time.thread_time()
        look(text)
        taken.append(time.thread_time() - started)
        if taken[-1] < SLOW:
            break
    return min(taken)
