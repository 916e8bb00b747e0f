"""Numbers said in words or in Chinese numerals: `one three eight ...`, `一三八...`, `幺三八`, `double five`.

Numerals are replaced in place, so that `numbers.py` reads them like any digits; words become digits, and what these
are is asked of the same table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from tests.feedback.privacy.oracle.labels import Labels
from tests.feedback.privacy.oracle.numbers import numbers
from tests.feedback.privacy.oracle.shapes import Found

NUMERALS = str.maketrans("零〇洞一幺壹二两贰三叁四肆五伍六陆七柒拐八捌九玖", "000111222334455667778899")
_NUMERAL = "零〇洞一幺壹二两贰三叁四肆五伍六陆七柒拐八捌九玖"
SPOKEN = re.compile(rf"[{_NUMERAL}\d](?:[ 、，,\-]?[{_NUMERAL}\d]){{3,}}")
HAN_NUMERAL = re.compile(f"[{_NUMERAL}]{{2}}")
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
WORDS = re.compile(rf"\b(?:{_WORD}|\d{{1,4}})(?:[\s,.\-–]{{1,3}}(?:{_WORD}|\d{{1,4}})\b){{3,40}}", re.I)
ONE = re.compile(rf"{_WORD}|\d+", re.I)
SIGNS = ("double", "triple", "oh ", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero")
"""Of which a number said in words has one."""


def numerals_as_digits(text: str) -> str:
    """`text` with runs of four and more Chinese numerals as digits, each in its place."""
    if HAN_NUMERAL.search(text) is None:
        return text
    return SPOKEN.sub(_as_digits, text)


def _as_digits(match: re.Match[str]) -> str:
    plain = match.group().translate(NUMERALS)
    return plain.replace("、", "-").replace("，", "-").replace(",", "-") if not match.group().isascii() else plain


def spelled(text: str, lower: str, labels: Callable[[], Labels]) -> Iterator[Found]:
    """Personal numbers in English words: their digits, put in their place, are one wherever they would be one."""
    if sum(sign in lower for sign in SIGNS) < 2:
        return
    for match in WORDS.finditer(text):
        digits = _digits(match.group())
        if len(digits) < 7 or match.group().isdigit():
            continue
        # The label stands before, so the digits are judged at the place where the words begin.
        start = labels().sentence(match.start())
        line = text[start : match.start()] + digits
        of_line = Labels.of(line.lower())
        for found in numbers(line, partial(_given, of_line)):
            if found.end == len(line):
                yield Found(match.start(), match.end(), found.kind)


def _given(labels: Labels) -> Labels:
    return labels


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
