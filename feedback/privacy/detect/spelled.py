"""Numbers said in words or in Chinese numerals: `one three eight ...`, `一三八...`, `幺三八`, `double five`.

Numerals are replaced in place, so that `numbers.py` reads them like any digits; words become digits, and what these
are is asked of the same table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from feedback.privacy.detect.labels import Labels
from feedback.privacy.detect.numbers import numbers
from feedback.privacy.detect.reading import NUMERALS, Reading
from feedback.privacy.detect.shapes import Found

AS_DIGITS = str.maketrans(NUMERALS, "000111222334455667778899")
SPOKEN = re.compile(rf"[{NUMERALS}\d](?:[ 、，,\-]?[{NUMERALS}\d]){{3,}}")
UNITS = {
    "zero": "0", "oh": "0", "o": "0", "nought": "0", "one": "1", "two": "2", "three": "3", "four": "4",
    "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip
TEENS = {
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15",
    "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19",
}  # fmt: skip
TENS = {
    "twenty": "2",
    "thirty": "3",
    "forty": "4",
    "fifty": "5",
    "sixty": "6",
    "seventy": "7",
    "eighty": "8",
    "ninety": "9",
}
TIMES = {"double": 2, "triple": 3, "treble": 3}
_WORD = "|".join((*UNITS, *TEENS, *TENS, *TIMES, "hundred", "plus", "dash"))
LEAST = 4
"""Numbers in a row that may be one number."""
WORDS = re.compile(rf"\b(?:{_WORD}|\d{{1,4}})(?:[\s,.\-–]{{1,3}}(?:{_WORD}|\d{{1,4}})\b){{3,40}}", re.I)
ONE = re.compile(rf"{_WORD}|\d+", re.I)
SIGNS = ("double", "triple", "oh ", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero")
"""Of which a number said in words has two."""
ITEMS = frozenset({*UNITS, *TEENS, *TENS, *TIMES, "hundred", "plus", "dash"} - {"o"})
FARTHEST = 7
BETWEEN = re.compile(rf"[\s,.\-–o]{{1,{FARTHEST}}}")
"""What stands between two of them, with one `o` at most."""
TWO_O = re.compile(r"o(?<!\wo)[\s,.\-–]{1,3}o\b")


def numerals_as_digits(reading: Reading) -> str:
    """The text with runs of four and more Chinese numerals as digits, each in its place."""
    text = reading.text
    for start, end in reading.crowded():
        if not text[start:end].isascii() and SPOKEN.match(text, start):
            return SPOKEN.sub(_as_digits, text)
    return text


def _as_digits(match: re.Match[str]) -> str:
    plain = match.group().translate(AS_DIGITS)
    return plain.replace("、", "-").replace("，", "-").replace(",", "-") if not match.group().isascii() else plain


def spelled(reading: Reading, labels: Labels) -> Iterator[Found]:
    """Personal numbers in English words: their digits, put in their place, are one wherever they would be one."""
    if sum(sign in reading.words for sign in SIGNS) < 2:
        return
    for match in _said(reading):
        digits = _digits(match.group())
        if len(digits) < 7 or match.group().isdigit():
            continue
        # The label stands before, so the digits are judged at the place where the words begin.
        start = labels.sentence(match.start())
        line = reading.text[start : match.start()] + digits
        for found in numbers(line, Labels(line.lower())):
            if found.end == len(line):
                yield Found(match.start(), match.end(), found.kind)


def _said(reading: Reading) -> Iterator[re.Match[str]]:
    """Matches of `WORDS`, of which the text is searched only where four numbers may follow each other."""
    text, seen = reading.text, reading.seen
    if TWO_O.search(seen):
        yield from WORDS.finditer(text)
        return
    spans = sorted((*_whole(reading), *reading.runs))
    first = 0
    while first < len(spans):
        last, count = first, 1
        while (
            last + 1 < len(spans)
            and spans[last + 1][0] <= spans[last][1] + FARTHEST
            and BETWEEN.fullmatch(seen, spans[last][1], spans[last + 1][0])
        ):
            count += 1 + ("o" in seen[spans[last][1] : spans[last + 1][0]])
            last += 1
        start, end = spans[first][0], spans[last][1]
        if count > LEAST - 3:  # an `o` may stand on either side
            count += ("o" in seen[max(0, start - 4) : start]) + ("o" in seen[end : end + 4])
        if count >= LEAST:
            end += 5
            while end < len(text) and (text[end - 1].isalnum() or text[end - 1] == "_"):
                end += 1
            yield from WORDS.finditer(text, max(0, start - 5), end)
        first = last + 1


def _whole(reading: Reading) -> Iterator[tuple[int, int]]:
    seen = reading.seen
    for word, places in reading.near.items():
        if word in ITEMS:
            for at in places:
                end = at + len(word)
                if not (seen[at - 1 : at].isalnum() or seen[end : end + 1].isalnum()):
                    yield at, end


def _digits(words: str) -> str:
    digits, times, ten = "", 1, ""
    for word in ONE.findall(words.lower()):
        if ten and word in UNITS and word not in ("o", "oh", "zero"):
            digits, ten = digits + ten + UNITS[word], ""
            continue
        if ten:
            digits, ten = digits + ten + "0", ""
        if word in TIMES:
            times = TIMES[word]
        elif word in TENS:
            ten = TENS[word]
        elif word not in ("plus", "dash"):
            digits += (UNITS.get(word) or TEENS.get(word) or ("00" if word == "hundred" else word)) * times
            times = 1
    return digits + (f"{ten}0" if ten else "")
