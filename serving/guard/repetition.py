"""Texts that say one thing over and over, which some attacks on a model's memory do: told by words, then by zlib."""

from __future__ import annotations

import zlib

FROM = 600
"""Characters from which on the words of a text are counted."""
COMPRESSED_FROM = 2_000
"""Characters from which on a text is compressed instead."""
FEWEST_WORDS = 64
_SAME = 0.02
"""Share of different words below which a text repeats itself."""
_RATIO = 0.02
"""Compressed size by size below which it does; prose stands at 0.4, a table of equal rows at 0.05."""


_FRAME = 24
"""Bytes that zlib may add to what it has compressed."""


def repeats(text: str) -> bool:
    """Whether nearly nothing in `text` is new; short texts do not count."""
    if len(text) < FROM:
        return False
    if len(text) < COMPRESSED_FROM:
        words = text.split()
        if len(words) < FEWEST_WORDS:
            return len(words) <= 2 and len(set(text)) <= 2
        return len(set(words)) < _SAME * len(words)
    raw = text.encode("utf-8", "replace")
    most = _RATIO * len(raw)
    first = raw[: 4 * int(most + _FRAME)]
    if len(zlib.compress(first, 1)) >= most + _FRAME:  # so that the whole is larger, too
        return False
    return len(zlib.compress(raw, 1)) < most
