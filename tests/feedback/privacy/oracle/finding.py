"""Personal values of a text: what each detector finds, without overlaps, in order.

What a text lacks is looked for first: a detector runs only where there is a word or a digit that it needs.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import islice

from tests.feedback.privacy.oracle.labels import Labels
from tests.feedback.privacy.oracle.names import names
from tests.feedback.privacy.oracle.numbers import numbers
from tests.feedback.privacy.oracle.personal import CARD_NEAR, LONG_DATA, PLAIN, RULES, UNPLAIN
from tests.feedback.privacy.oracle.places import places
from tests.feedback.privacy.oracle.secrets import secrets
from tests.feedback.privacy.oracle.shapes import Found
from tests.feedback.privacy.oracle.spelled import numerals_as_digits, spelled

STEP, REACH, BACK = 16_384, 4096, 64
"""Characters of a text that are searched at once, and how far beyond and before them a value is looked for."""
LONG = 512
CRUMB = 2
"""Characters of a value, left by others, that say nothing."""
RULES_OF_ASCII = tuple(rule.without_others() for rule in RULES if rule.in_ascii)
"""The rules for a text of ASCII, which needs not be asked for words that are not."""
CAPITAL = re.compile("[A-Z]")


def plain(text: str) -> str:
    """`text` as the rules read it: without characters that show nothing, letters and digits of one width."""
    return text if text.isascii() or UNPLAIN.search(text) is None else text.translate(PLAIN)


def find(text: str) -> list[Found]:
    """The personal values of a `plain` text, none overlapping another, in order."""
    lower = _lower(text)
    found = [*_by_rules(text, lower), *_in_parts(text, lower)]
    return _apart(found) if found else found


def _in_parts(text: str, lower: str) -> Iterator[Found]:
    """What the detectors find, asked for `STEP` characters at once."""
    for at in range(0, len(text), STEP):
        first, last = max(0, at - BACK), min(len(text), at + STEP + REACH)
        for one in _detected(text[first:last], lower[first:last]):
            if at <= one.start + first < at + STEP:
                yield Found(one.start + first, one.end + first, one.kind)


def _by_rules(text: str, lower: str) -> Iterator[Found]:
    digits = sum(map(text.count, "0123456789"))
    for rule in [rule for rule in (RULES_OF_ASCII if lower.isascii() else RULES) if rule.wanted(lower, digits)]:
        for match in matches(rule.pattern, text):
            start, end = match.span(match.lastindex or 0)
            value = text[start:end]
            if not value.startswith("<") and rule.valid(value) and (rule.kind != "EXPIRY" or _of_card(lower)):
                yield Found(start, end, rule.kind)
    if digits and len(text) >= LONG:
        yield from (Found(*match.span(), "DATA") for match in matches(LONG_DATA, text))


def _of_card(lower: str) -> bool:
    return any(word in lower for word in CARD_NEAR)


def _detected(text: str, lower: str) -> Iterator[Found]:
    digits = text if text.isascii() else numerals_as_digits(text)
    yield from secrets(digits, lower)
    held: list[Labels] = []

    def labels() -> Labels:
        if not held:
            held.append(Labels.of(lower))
        return held[0]

    yield from numbers(digits, labels)
    yield from spelled(text, lower, labels)
    yield from names(text, lower)
    yield from places(text, lower)


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


def _lower(text: str) -> str:
    """In lower case, character by character, so that places stay."""
    if not text.isascii() and CAPITAL.search(text) is None:
        return text
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


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
