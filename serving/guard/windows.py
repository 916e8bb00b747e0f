"""Which parts of long texts are looked at: all up to a limit, beyond it head, tail and windows between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

MOST = 32_000
"""Characters of a request that are looked at."""
SLICE = 4_096
"""Characters that are looked at in one go, at most: a millisecond, whatever they are."""
OVERLAP = 256
"""Of neighbouring slices, so that what stands across their border is in one of them."""
WINDOW = 2_048
MOST_TEXTS = 256
"""Texts of one request; further ones count as one."""


def fitted(texts: Sequence[str], most: int = MOST) -> tuple[list[list[str]], bool]:
    """For each of `texts` the parts that are looked at, `most` characters in all, and whether parts were left out.

    Where there is too much, every text gets a part of the limit by its length, short ones all they need.
    """
    total = sum(map(len, texts))
    if total <= most:
        return [[text] for text in texts], False
    room, found = most, {}
    by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for done, place in enumerate(by_length):
        share = room // (len(texts) - done)
        found[place] = spread(texts[place], share)
        room -= sum(map(len, found[place]))
    return [found[place] for place in range(len(texts))], True


def spread(text: str, most: int) -> list[str]:
    """`text`, or of a longer one than `most` characters its head, its tail and windows between, evenly spread."""
    if len(text) <= most:
        return [text]
    count = max(2, most // WINDOW)
    size = most // count
    if size == 0:
        return []
    last = len(text) - size
    return [text[at : at + size] for at in (last * place // (count - 1) for place in range(count))]


def slices(text: str) -> Iterator[str]:
    """`text` in pieces of at most `SLICE` characters that overlap."""
    if len(text) <= SLICE:
        yield text
        return
    step = SLICE - OVERLAP
    for at in range(0, len(text) - OVERLAP, step):
        yield text[at : at + SLICE]
