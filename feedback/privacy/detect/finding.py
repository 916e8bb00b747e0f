"""Personal values of a text: what each detector finds, without overlaps, in order.

What a text lacks is looked for first, all of it in one pass (`reading.py`): a detector runs only where there is a word
or a digit that it needs.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from feedback.privacy.detect import names as naming
from feedback.privacy.detect import places as placing
from feedback.privacy.detect.labels import Labels
from feedback.privacy.detect.names import names
from feedback.privacy.detect.numbers import crowded, numbers
from feedback.privacy.detect.personal import CARD_NEAR, LONG_DATA, PLAIN, RULES
from feedback.privacy.detect.places import places
from feedback.privacy.detect.reading import Reading
from feedback.privacy.detect.rules import Rule
from feedback.privacy.detect.secrets import TAILS, secrets
from feedback.privacy.detect.shapes import Found
from feedback.privacy.detect.signs import SLOTS, Signs, units
from feedback.privacy.detect.spelled import ITEMS, numerals_as_digits, spelled
from feedback.privacy.detect.spelled import SIGNS as SPELLED

STEP, REACH, BACK = 16_384, 4096, 64
"""Characters of a text that are searched at once, and how far beyond and before them a value is looked for."""
LONG = 512
CRUMB = 2
"""Characters of a value, left by others, that say nothing."""
RULE_WORDS = {word for rule in RULES for word in (*rule.needs, *rule.also, *rule.anchors)}
SIGNS = Signs({
    *RULE_WORDS, *CARD_NEAR, *TAILS, *SPELLED,
    *naming.TAILS_OF_HAN, *naming.TAILS_OF_SELF, *naming.SIGNS_OF_STRONG, *naming.TAILS_OF_STRONG,
    *naming.SIGNS_OF_WEAK, *placing.SIGNS_OF_LATIN, *placing.TAILS_OF_LATIN, *placing.SIGNS_OF_HAN,
    *placing.DOORS, *placing.TAILS_OF_HAN, *placing.OF_A_PERSON, *ITEMS,
})  # fmt: skip
"""All words that the detectors look for."""
OF_WORD: dict[str, list[int]] = {}
"""The places in `RULES` of those that are not tried without some word."""
for _place, _rule in enumerate(RULES):
    for _word in _rule.needs or _rule.anchors:
        OF_WORD.setdefault(_word, []).append(_place)
WORDLESS = tuple(
    (place, rule.digits, *rule.many) for place, rule in enumerate(RULES) if not rule.needs and not rule.anchors
)
IS_UNPLAIN = np.zeros(SLOTS, np.bool_)
IS_UNPLAIN[list(PLAIN)] = True
HALF_LONG = re.compile(rf"[A-Za-z0-9+/_-]{{{LONG // 2}}}")
"""Of which long data hold one at a place that is a multiple of its length."""


def plain(text: str) -> str:
    """`text` as the rules read it: without characters that show nothing, letters and digits of one width."""
    if text.isascii():
        return text
    for character in {text[at] for at in IS_UNPLAIN[units(text)].nonzero()[0].tolist()}:
        if (code := ord(character)) in PLAIN:
            text = text.replace(character, PLAIN[code])
    return text


def read(text: str) -> Reading:
    """A `plain` text as all detectors want it."""
    return Reading(text, SIGNS)


def find(text: str) -> list[Found]:
    """The personal values of a `plain` text, none overlapping another, in order."""
    reading = read(text)
    found = [*_by_rules(reading), *_in_parts(reading)]
    return _apart(found) if found else found


def _in_parts(reading: Reading) -> Iterator[Found]:
    """What the detectors find, asked for `STEP` characters at once."""
    text = reading.text
    if len(text) <= STEP:
        yield from _detected(reading)
        return
    for at in range(0, len(text), STEP):
        first, last = max(0, at - BACK), min(len(text), at + STEP + REACH)
        for one in _detected(read(text[first:last])):
            if at <= one.start + first < at + STEP:
                yield Found(one.start + first, one.end + first, one.kind)


def _by_rules(reading: Reading) -> Iterator[Found]:
    text = reading.text
    digits = sum(map(text.count, "0123456789")) if reading.digits else 0
    tried = {place for word in reading.near for place in OF_WORD.get(word, ())}
    tried.update(
        place for place, least, sign, many in WORDLESS if digits >= least and (not many or text.count(sign) >= many)
    )
    for place in sorted(tried):
        rule = RULES[place]
        if not rule.wanted(reading, digits) or (rule.kind == "EXPIRY" and not reading.holds(CARD_NEAR)):
            continue
        for match in _matches_of(rule, reading):
            start, end = match.span(match.lastindex or 0)
            value = text[start:end]
            if not value.startswith("<") and rule.valid(value):
                yield Found(start, end, rule.kind)
    if digits and len(text) >= LONG and any(HALF_LONG.match(text, at) for at in range(0, len(text), LONG // 2)):
        yield from (Found(*match.span(), "DATA") for match in matches(LONG_DATA, text))


def _matches_of(rule: Rule, reading: Reading) -> Iterator[re.Match[str]]:
    if not rule.within:
        yield from matches(rule.pattern, reading.text)
        return
    for start, end in rule.parts(reading):
        yield from rule.pattern.finditer(reading.text, start, end)


def _detected(reading: Reading) -> Iterator[Found]:
    text, digits, numerals = reading.text, reading.digits, reading.numerals()
    plain_digits = text
    if numerals:
        plain_digits = numerals_as_digits(text)
        digits = sorted((*digits, *numerals))
    yield from secrets(reading, plain_digits)
    labels = Labels(reading.lower)
    if crowded(digits):
        yield from numbers(plain_digits, labels)
    yield from spelled(reading, labels)
    yield from names(reading)
    yield from places(reading)


def _apart(found: Iterable[Found]) -> list[Found]:
    """Those found first whole, of the others what these leave."""
    taken: list[Found] = []
    for one in found:
        for piece in _free(one, taken):
            insort(taken, piece, key=_start)
    return taken


def _free(one: Found, taken: list[Found]) -> list[Found]:
    """The parts of `one` that none of `taken`, in order, covers; crumbs aside."""
    pieces: list[Found] = []
    at = one.start
    for other in islice(taken, max(0, bisect_right(taken, one.start, key=_start) - 1), None):
        if other.start >= one.end:
            break
        if other.start > at:
            pieces.append(Found(at, other.start, one.kind))
        at = max(at, other.end)
    if at < one.end:
        pieces.append(Found(at, one.end, one.kind))
    return [piece for piece in pieces if piece == one or piece.end - piece.start > CRUMB]


def _start(one: Found) -> int:
    return one.start


def matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """`pattern.finditer(text)` in steps, since `re` lets no other thread run while it searches."""
    if len(text) <= STEP:
        yield from pattern.finditer(text)
        return
    at = 0
    while at < len(text):
        limit = at + STEP
        match = pattern.search(text, at, limit + REACH)
        if match is not None and match.end() == limit + REACH:
            match = pattern.match(text, match.start())
        if match is None or match.start() >= limit:
            at = limit
        else:
            yield match
            at = max(match.end(), at + 1)
