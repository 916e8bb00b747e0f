"""The fact check: does a reply state what it must, whatever its spacing, case or width of characters."""

import re
import unicodedata

from demo.world.shapes import Fact, Sample

_PIECES = re.compile(r"\d+|[^\W\d_]+|[^\w\s]")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def states(reply: str, fact: Fact) -> bool:
    """Whether `reply` holds the fact; a number counts only as a whole, `17` is not found in `175` or `2.17`."""
    pieces = _PIECES.findall(_plain(fact.text))
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


def satisfied(sample: Sample, reply: str) -> bool:
    """Whether `reply` states every fact of the sample."""
    return all(states(reply, fact) for fact in sample.facts)
