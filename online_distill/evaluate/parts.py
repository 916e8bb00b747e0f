"""What each token of a reply is: wording, copied from the prompt, or computed. By rarity; no generator's facts.

The three are learned apart: a student may have every word of a kind of reply and none of its sums, and a mean over
all tokens hides that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from feedback.texts import TOKEN, normal

Part = Literal["wording", "copied", "computed"]
PARTS: Final[tuple[Part, ...]] = ("wording", "copied", "computed")
RARE: Final = 0.01
"""Words of fewer replies than this share are rare; at least one reply."""


def rare_words(replies: Sequence[str]) -> frozenset[str]:
    """Words that hardly any of the replies share."""
    seen = Counter(word for reply in replies for word in set(_words(reply)))
    most = max(1, int(RARE * len(replies)))
    return frozenset(word for word, count in seen.items() if count <= most)


def parts(prompt: str, reply: str, spans: Sequence[tuple[int, int]], rare: frozenset[str]) -> list[Part]:
    """The part of each token, whose place in `reply` is its span of characters.

    A word that holds a digit or is rare says something of its own: it is copied where the prompt has it, else computed.
    """
    given = set(_words(prompt))
    found = [(match.span(), _part(normal(match.group()), given, rare)) for match in TOKEN.finditer(reply)]
    marked = [(start, end, part) for (start, end), part in found if part != "wording"]
    return [_of(span, marked) for span in spans]


def _part(word: str, given: set[str], rare: frozenset[str]) -> Part:
    if word not in rare and not any(c.isdigit() for c in word):
        return "wording"
    return "copied" if word in given else "computed"


def _of(span: tuple[int, int], marked: Sequence[tuple[int, int, Part]]) -> Part:
    """That of the first marked word that the token shares a character with."""
    return next((part for start, end, part in marked if span[0] < end and start < span[1]), "wording")


def _words(text: str) -> Iterator[str]:
    return (normal(match) for match in TOKEN.findall(text))
