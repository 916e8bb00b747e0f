"""The fact check: does a reply state what it must, whatever its spacing, case or width of characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_PIECES = re.compile(r"\d+|[^\W\d_]+|[^\w\s]")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def states(reply: str, fact: str) -> bool:
    """Whether `reply` holds the fact; a number counts only as a whole, `17` is not found in `175` or `2.17`."""
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
    return re.search(pattern, _plain(reply)) is not None


def states_all(reply: str, facts: Iterable[str]) -> bool:
    """Whether `reply` states every one of `facts`."""
    return all(states(reply, fact) for fact in facts)
