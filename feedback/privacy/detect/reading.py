"""A text as the detectors read it, with what one pass over it found: where their words are, and where digits."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase

import numpy as np

from feedback.privacy.detect.signs import SLOTS, Places, Signs, Units, units

NUMERALS = "零〇洞一幺壹二两贰三叁四肆五伍六陆七柒拐八捌九玖"
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
"""First characters of number plates."""
JOINTS = " \u00a0.-/()（）\u2010\u2011\u2012\u2013\u2014\u2015·•_~"
"""What stands between the digits of one number."""
HOUSES = "号栋幢单"
"""The first characters of what is counted on the way down to a door."""
DIGIT, FOREIGN, NUMERAL, PROVINCE, HOUSE, LETTER, CAPITAL, ODD, UNPLAIN, BETWEEN = range(1, 11)
"""What a character is: 0 to 9; another script's digit; of `NUMERALS`; of `PROVINCES`; of `HOUSES`; a to z; A to Z; of
`UNUSUAL`; one that is not read as it is written; of `JOINTS`."""
FOLDED = str.maketrans("İıſ\u212a", "iisk")
UNUSUAL = tuple(map(chr, FOLDED))
"""Letters that a pattern without regard to case takes for others, and that `lower` may hold as they are."""
UNSEEN = dict.fromkeys([0x00AD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF])
"""Characters that show nothing -> nothing."""
WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code).isalnum() or chr(code) in "＠．－＿＋＃"}
"""Full-width letters, digits and what joins them -> ASCII; the rules know the other signs."""
PLAIN: dict[int, str] = dict.fromkeys(UNSEEN, "") | {code: chr(plain) for code, plain in WIDE.items()}
"""How the rules read a character."""
TOUCHING = bytes((NUMERAL, NUMERAL))
AT_ONCE, NEAR = 4, 6
"""Digits and numerals that may be one number, and characters from the first of these to the last, at most."""
Tails = Mapping[str, re.Pattern[str] | None]
"""Words in lower case of which each match of a pattern holds one, with what follows it there; None: anything."""
Stretch = tuple[int, int]
Classes = np.ndarray[tuple[int], np.dtype[np.uint8]]


class Reading:
    """A text with its personal values. `text` is the `plain` one, and positions are characters of it."""

    __slots__ = ("ascii", "digits", "lower", "marks", "near", "runs", "seen", "text", "words")

    def __init__(self, text: str, signs: Signs) -> None:
        lower = text.lower() if text.isascii() else text
        codes, classes, marks = _marked(lower)
        if UNPLAIN in marks and (shown := _shown(text, classes)) != text:
            text, lower = shown, shown
            codes, classes, marks = _marked(text)
        if CAPITAL in marks:
            lower = _lower(text)
            codes = units(lower)
            marks = marks.replace(_CAPITAL, _LETTER)
        self.text, self.lower = text, lower
        self.ascii = text.isascii()
        self.marks = marks
        """The class of each character of `lower`; all digits are `DIGIT`, and what counts as a letter is `LETTER`."""
        self.words: Places = signs.places(lower, codes)
        """Where the words of `signs` are in `lower`."""
        self.runs: Sequence[Stretch] = _runs(classes, marks)
        """(start, end) of the runs of digits of any script."""
        self.digits = marks.count(DIGIT)
        """How many of 0 to 9 there are."""
        self.seen, self.near = lower, self.words
        """`lower` as a pattern without regard to case reads it, and where the words are in that."""
        if FOREIGN in marks:
            self.marks = self.marks.replace(_FOREIGN, _DIGIT)
        if ODD in marks:
            self.marks = self.marks.replace(_ODD, _LETTER)
            self.seen = lower.translate(FOLDED)
            self.near = signs.places(self.seen, units(self.seen))

    def crowded(self) -> list[Stretch]:
        """(start, end) of four digits or Chinese numerals that may touch, where two numerals do somewhere, in order.

        Four digits without a numeral among them and nothing between them are left out.
        """
        if self.ascii or TOUCHING not in self.marks:
            return []
        classes = np.frombuffer(self.marks, np.uint8)
        places = ((classes == DIGIT) | (classes == NUMERAL)).nonzero()[0]
        width = places[AT_ONCE - 1 :] - places[: 1 - AT_ONCE]
        said = classes.take(places) == NUMERAL
        said[:-1] |= said[1:]
        said[:-2] |= said[2:]
        near = (width <= NEAR) & ((width >= AT_ONCE) | said[: 1 - AT_ONCE])
        firsts, lasts = places[: 1 - AT_ONCE][near], places[AT_ONCE - 1 :][near]
        return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))

    def where(self, kind: int) -> list[int]:
        """Where characters of this class are, in order."""
        places, at = [], self.marks.find(kind)
        while at >= 0:
            places.append(at)
            at = self.marks.find(kind, at + 1)
        return places

    def digit_within(self, start: int, end: int) -> bool:
        """Whether a digit is at a place from `start` on and before `end`."""
        at = bisect_right(self.runs, (start, len(self.text)))
        return (at > 0 and self.runs[at - 1][1] > start) or (at < len(self.runs) and self.runs[at][0] < end)

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


def plain(text: str) -> str:
    """`text` as the rules read it: without characters that show nothing, letters and digits of one width."""
    return text if text.isascii() else _shown(text, _marked(text)[1])


def _marked(text: str) -> tuple[Units, Classes, bytes]:
    codes = units(text)
    classes = CLASSES.take(codes)
    return codes, classes, classes.tobytes()


def _shown(text: str, classes: Classes) -> str:
    for character in {text[at] for at in (classes == UNPLAIN).nonzero()[0].tolist()}:
        if (code := ord(character)) in PLAIN:
            text = text.replace(character, PLAIN[code])
    return text


def _lower(text: str) -> str:
    """In lower case, character by character, so that places stay."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


def _runs(classes: Classes, marks: bytes) -> list[Stretch]:
    if DIGIT not in marks and FOREIGN not in marks:
        return []
    within = classes == DIGIT if FOREIGN not in marks else (classes == DIGIT) | (classes == FOREIGN)
    edges = ((within[1:] != within[:-1]).nonzero()[0] + 1).tolist()
    if within[0]:
        edges.insert(0, 0)
    if within[-1]:
        edges.append(len(marks))
    return list(zip(edges[::2], edges[1::2], strict=True))


def _classes() -> Classes:
    table = np.zeros(SLOTS, np.uint8)
    table[[code for code in range(SLOTS) if chr(code).isdecimal()]] = FOREIGN
    for characters, kind in (
        ("0123456789", DIGIT), (NUMERALS, NUMERAL), (PROVINCES, PROVINCE), (HOUSES, HOUSE), (ascii_lowercase, LETTER),
        (ascii_uppercase, CAPITAL), (JOINTS, BETWEEN), (UNUSUAL, ODD), (map(chr, PLAIN), UNPLAIN),
    ):  # fmt: skip
        for character in characters:
            table[ord(character)] = kind
    return table


_DIGIT, _FOREIGN, _LETTER, _CAPITAL, _ODD = (bytes([kind]) for kind in (DIGIT, FOREIGN, LETTER, CAPITAL, ODD))
CLASSES = _classes()
"""What a character is, by its unit."""
