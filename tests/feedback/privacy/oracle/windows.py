"""The parts of a text around words that a detector needs, so that the rest of it is not searched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence


def around(text: str, words: Sequence[str], before: int, after: int) -> list[tuple[int, int]]:
    """(start, end) of the parts within `before` and `after` characters of a word, joined where they touch, in order."""
    places: list[tuple[int, int]] = []
    for word in words:
        at = text.find(word)
        while at >= 0:
            places.append((at - before, at + len(word) + after))
            at = text.find(word, at + len(word))
    if len(places) < 2:
        return [(max(0, start), end) for start, end in places]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((max(0, start), end))
    return joined


def found_around(
    pattern: re.Pattern[str], text: str, lower: str, words: Sequence[str], before: int, after: int
) -> Iterator[re.Match[str]]:
    """Matches of `pattern` in those parts."""
    for start, end in around(lower, words, before, after):
        yield from pattern.finditer(text, start, end)
