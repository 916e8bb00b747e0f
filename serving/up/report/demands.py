"""The fact check: does a reply state what it must, whatever its spacing, case or width of characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Literal

_PIECES = re.compile(r"\d+|[^\W\d_]+|[^\w\s]")


TokenPart = Literal["wording", "copied", "computed"]
"""What a token of a reply is, by the facts that the reply must state."""


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def states(reply: str, fact: str) -> bool:
    """Whether `reply` holds the fact; a number counts only as a whole, `17` is not found in `175` or `2.17`."""
    return _pattern(fact).search(_plain(reply)) is not None


def parts(tokens: Sequence[str], facts: Iterable[str], prompt: str) -> tuple[TokenPart, ...]:
    """What each token of a reply is: of a fact that the prompt states (copied) or does not (computed), or wording.

    tokens: their texts, in order.
    """
    texts = [_plain(token) for token in tokens]
    reply, ends = "".join(texts), list(accumulate(map(len, texts)))
    found: list[TokenPart] = ["wording"] * len(texts)
    for fact in facts:
        part: TokenPart = "copied" if states(prompt, fact) else "computed"
        for match in _pattern(fact).finditer(reply):
            for place, (text, end) in enumerate(zip(texts, ends, strict=True)):
                if match.start() < end and end - len(text) < match.end():
                    found[place] = part
    return tuple(found)


def _pattern(fact: str) -> re.Pattern[str]:
    pieces = _PIECES.findall(_plain(fact))
    pattern = r"\s*".join(re.escape(piece) for piece in pieces)
    if pieces[0][0].isdigit():
        pattern = r"(?<!\d)(?<!\d\.)" + pattern
    elif pieces[0].isascii() and pieces[0].isalpha():
        pattern = r"(?<![a-z])" + pattern
    if pieces[-1][-1].isdigit():
        pattern += r"(?!\d)(?!\.\d)(?!,\d{3}(?!\d))"
    elif pieces[-1].isascii() and pieces[-1].isalpha():
        pattern += r"(?![a-z])"
    return re.compile(pattern)


def states_all(reply: str, facts: Iterable[str]) -> bool:
    """Whether `reply` states every one of `facts`."""
    return all(states(reply, fact) for fact in facts)
