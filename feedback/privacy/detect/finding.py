"""Personal values of a text: what each detector finds, without overlaps, in order.

What a text lacks is looked for first, all of it in one pass (`reading.py`): a detector runs only where there is a word
or a digit that it needs.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import islice

from feedback.privacy.detect import names as naming
from feedback.privacy.detect import places as placing
from feedback.privacy.detect.labels import Labels
from feedback.privacy.detect.names import names
from feedback.privacy.detect.numbers import crowds, numbers
from feedback.privacy.detect.personal import CARD_NEAR, LONG_DATA, RULES
from feedback.privacy.detect.places import places
from feedback.privacy.detect.reading import Reading, plain
from feedback.privacy.detect.secrets import TAILS, secrets
from feedback.privacy.detect.shapes import Found
from feedback.privacy.detect.signs import Signs
from feedback.privacy.detect.spelled import ITEMS, numerals_as_digits, spelled
from feedback.privacy.detect.spelled import SIGNS as SPELLED
from feedback.privacy.detect.windows import REACH, STEP, matches

__all__ = ["find", "plain", "read", "values"]

BACK = 64
"""How far before a step of a long text a value is looked for."""
LONG = 512
CRUMB = 2
"""Characters of a value, left by others, that say nothing."""
OF_RULES = {word for rule in RULES for word in (*rule.needs, *rule.also, *rule.anchors)} | CARD_NEAR
OF_SECRETS = frozenset(TAILS)
OF_NAMES = {*naming.TAILS_OF_HAN, *naming.TAILS_OF_SELF, *naming.TAILS_OF_STRONG, *naming.SIGNS_OF_WEAK}
OF_PLACES = {*placing.TAILS_OF_LATIN, *placing.TAILS_OF_HAN, *placing.DOORS}
SIGNS = Signs({
    *OF_RULES, *TAILS, *SPELLED, *ITEMS, *OF_NAMES, *naming.SIGNS_OF_STRONG,
    *OF_PLACES, *placing.SIGNS_OF_LATIN, *placing.SIGNS_OF_HAN, *placing.OF_A_PERSON,
})  # fmt: skip
"""All words that the detectors look for."""
OF_WORD: dict[str, list[int]] = {}
"""The places in `RULES` of those that are not tried without some word."""
for _place, _rule in enumerate(RULES):
    for _word in _rule.needs:
        OF_WORD.setdefault(_word, []).append(_place)
WORDLESS = tuple((place, rule.digits) for place, rule in enumerate(RULES) if not rule.needs)
HALF_LONG = re.compile(rf"[A-Za-z0-9+/_-]{{{LONG // 2}}}")
"""Of which long data hold one at a place that is a multiple of its length."""


def read(text: str) -> Reading:
    """A text as all detectors want it."""
    return Reading(text, SIGNS)


def find(text: str) -> list[Found]:
    """The personal values of a `plain` text, none overlapping another, in order."""
    return values(read(text))


def values(reading: Reading) -> list[Found]:
    """Those of a text that was read: places of `reading.text`."""
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
    text, digits = reading.text, reading.digits
    tried = {place for word in reading.near if word in OF_WORD for place in OF_WORD[word]}
    tried.update(place for place, least in WORDLESS if digits >= least)
    for place in sorted(tried):
        rule = RULES[place]
        if not rule.wanted(reading) or (rule.kind == "EXPIRY" and not reading.holds(CARD_NEAR)):
            continue
        for match in rule.way(rule, reading):
            start, end = match.span(match.lastindex or 0)
            value = text[start:end]
            if not value.startswith("<") and rule.valid(value):
                yield Found(start, end, rule.kind)
    if digits and len(text) >= LONG and any(HALF_LONG.match(text, at) for at in range(0, len(text), LONG // 2)):
        yield from (Found(*match.span(), "DATA") for match in matches(LONG_DATA, text))


def _detected(reading: Reading) -> Iterator[Found]:
    text = numerals_as_digits(reading)
    near = reading.near.keys()
    if not near.isdisjoint(OF_SECRETS):
        yield from secrets(reading, text)
    labels = Labels(reading.lower)
    clusters = crowds(reading) if text is reading.text else None
    if clusters is None or clusters:
        yield from numbers(text, labels, clusters)
    if not near.isdisjoint(ITEMS):
        yield from spelled(reading, labels)
    if not near.isdisjoint(OF_NAMES):
        yield from names(reading)
    if not near.isdisjoint(OF_PLACES):
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
