"""A text as the detectors read it, with what one pass over it found: where their words are, and where digits."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from feedback.privacy.detect.signs import SLOTS, Places, Signs, units

NUMERALS = "零〇洞一幺壹二两贰三叁四肆五伍六陆七柒拐八捌九玖"
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
"""First characters of number plates."""
DIGIT, NUMERAL = 1, 2
FOLDED = str.maketrans("İıſ\u212a", "iisk")
UNUSUAL = tuple(map(chr, FOLDED))
"""Letters that a pattern without regard to case takes for others, and that `lower` may hold as they are."""
CAPITAL = re.compile("[A-Z]")
Tails = Mapping[str, re.Pattern[str] | None]
"""Words in lower case of which each match of a pattern holds one, with what follows it there; None: anything."""


class Reading:
    """A `plain` text. Positions are characters of it."""

    __slots__ = ("_marks", "ascii", "digits", "lower", "near", "seen", "text", "words")

    def __init__(self, text: str, signs: Signs) -> None:
        self.text = text
        self.ascii = text.isascii()
        self.lower = _lower(text)
        codes = units(self.lower)
        self.words: Places = signs.places(self.lower, codes)
        """Where the words of `signs` are in `lower`."""
        self._marks = OF_CHARACTER[codes]
        self.digits: Sequence[int] = (self._marks & DIGIT).nonzero()[0].tolist()
        """Where digits of any script are."""
        self.seen, self.near = self.lower, self.words
        """`lower` as a pattern without regard to case reads it, and where the words are in that."""
        if not self.ascii and any(map(text.__contains__, UNUSUAL)):
            self.seen = self.lower.translate(FOLDED)
            self.near = signs.places(self.seen, units(self.seen))

    def numerals(self) -> list[int]:
        """Where Chinese numerals are that are read out digit by digit; none where no two of them touch."""
        if self.ascii:
            return []
        marked = (self._marks & NUMERAL).astype(np.bool_)
        return marked.nonzero()[0].tolist() if (marked[1:] & marked[:-1]).any() else []

    def digit_within(self, start: int, end: int) -> bool:
        """Whether a digit is at a place from `start` on and before `end`."""
        at = bisect_left(self.digits, start)
        return at < len(self.digits) and self.digits[at] < end

    def begun(self, tails: Tails) -> list[tuple[int, int]]:
        """(start, end) of each of the words with its tail, in no order."""
        seen = self.seen
        found = []
        for word, places in self.near.items():
            if word not in tails:
                continue
            tail = tails[word]
            for at in places:
                if tail is None:
                    found.append((at, at + len(word)))
                elif match := tail.match(seen, at + len(word)):
                    found.append((at, match.end()))
        return found

    def holds(self, words: Collection[str]) -> bool:
        """Whether one of `words`, a set, is in the text."""
        return not self.words.keys().isdisjoint(words)


def _lower(text: str) -> str:
    """In lower case, character by character, so that places stay."""
    if not text.isascii() and CAPITAL.search(text) is None:
        return text
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


def _of_character() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    table = np.zeros(SLOTS, np.uint8)
    for code in range(2 * SLOTS):  # there are none beyond
        if chr(code).isdecimal():
            table[code % SLOTS] |= DIGIT
    for character in NUMERALS:
        table[ord(character)] |= NUMERAL
    return table


OF_CHARACTER = _of_character()
