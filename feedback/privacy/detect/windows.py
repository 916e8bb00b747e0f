"""The parts of a text around words that a detector needs, so that the rest of it is not searched."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from feedback.privacy.detect.reading import Reading, Tails
from feedback.privacy.detect.signs import Places


def around(places: Places, words: Collection[str], before: int, after: int) -> list[tuple[int, int]]:
    """(start, end) of the parts within `before` and `after` characters of a word, joined where they touch, in order.

    `words` are a set or a dictionary: a text holds a few of many.
    """
    parts = [(at - before, at + len(word) + after) for word in places if word in words for at in places[word]]
    if len(parts) < 2:
        return [(max(0, start), end) for start, end in parts]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(parts):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((max(0, start), end))
    return joined


def found_around(
    pattern: re.Pattern[str],
    reading: Reading,
    words: Collection[str],
    tails: Tails,
    before: int,
    after: int,
) -> Iterator[re.Match[str]]:
    """Matches of `pattern` in the parts around `words`; those in which nothing of `tails` is are not searched."""
    begun = reading.begun(tails)
    if begun:
        for start, end in around(reading.words, words, before, after):
            if any(start <= at < end for at, _ in begun):
                yield from pattern.finditer(reading.text, start, end)
