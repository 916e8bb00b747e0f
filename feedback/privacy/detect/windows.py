"""The parts of a text around words that a detector needs, so that the rest of it is not searched."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from feedback.privacy.detect.reading import Reading, Tails
from feedback.privacy.detect.signs import Places

STEP, REACH = 16_384, 4096
"""Characters of a text that are searched at once, and how far beyond them a value is looked for."""


def joined(parts: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Parts of a text, in order of their starts, as one where they touch."""
    if len(parts) < 2:
        return parts
    done = [parts[0]]
    for start, end in parts[1:]:
        if start <= done[-1][1]:
            done[-1] = (done[-1][0], max(end, done[-1][1]))
        else:
            done.append((start, end))
    return done


def around(places: Places, words: Collection[str], before: int, after: int) -> Sequence[tuple[int, int]]:
    """(start, end) of the parts within `before` and `after` characters of a word, joined where they touch, in order.

    `words` are a set or a dictionary: a text holds a few of many.
    """
    return joined(
        sorted((max(0, at - before), at + len(word) + after) for word in places if word in words for at in places[word])
    )


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


def matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """`pattern.finditer(text)` in steps, since `re` lets no other thread run while it searches."""
    if len(text) <= STEP:
        yield from pattern.finditer(text)
        return
    at = 0
    while at < len(text):
        limit = at + STEP
        match = pattern.search(text, at, limit + REACH)
        if match is not None and match.end() == limit + REACH:
            match = pattern.match(text, match.start())
        if match is None or match.start() >= limit:
            at = limit
        else:
            yield match
            at = max(match.end(), at + 1)
