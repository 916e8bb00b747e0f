"""What a rule of the table is: a pattern, what a text must hold for it to be tried, and when a match counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from feedback.privacy.detect.reading import LETTER, PROVINCE, Reading, Tails
from feedback.privacy.detect.windows import joined, matches

Way = Callable[["Rule", Reading], Iterator[re.Match[str]]]
LATIN = "A-Za-z0-9\u00c0-\u024f"
OF_ADDRESS = frozenset(character for character in map(chr, range(0x250)) if re.match(f"[{LATIN}_.%+-]", character))
"""What stands before the sign of a mail address."""
ANY_DIGIT, ANY_LETTER, BETWEEN_WORDS = re.compile(r"\d"), re.compile("[A-Za-z]"), re.compile("[^A-Za-z0-9]+")
ONE_LETTER, TWO_LETTERS = bytes([LETTER]), bytes([LETTER, LETTER])
DOMAIN = re.compile(f"(?:@|%40)[{LATIN}.-]*")


def mixed(text: str) -> bool:
    """Whether `text` holds letters and digits, as generated keys do."""
    return bool(ANY_DIGIT.search(text) and ANY_LETTER.search(text))


def with_digit(text: str) -> bool:
    """Whether `text` holds a digit."""
    return ANY_DIGIT.search(text) is not None


def whole(rule: Rule, reading: Reading) -> Iterator[re.Match[str]]:
    """In all of the text."""
    return matches(rule.pattern, reading.text)


def around_words(rule: Rule, reading: Reading) -> Iterator[re.Match[str]]:
    """Within reach of what each match holds."""
    parts = [
        (max(0, at - rule.before), at + rule.after)
        for at in rule.places(reading)
        if not rule.number or reading.digit_within(at, at + rule.after)
    ]
    for start, end in joined(parts):
        yield from rule.pattern.finditer(reading.text, start, end)


def at_words(rule: Rule, reading: Reading) -> Iterator[re.Match[str]]:
    """At the words, with one of which each match begins."""
    return _at(rule.pattern, reading.text, rule.places(reading))


def at_letters_and_digits(rule: Rule, reading: Reading) -> Iterator[re.Match[str]]:
    """At two letters before two digits, with which each match begins."""
    marks = reading.marks
    places = [start - 2 for start, end in reading.runs if end - start > 1 and marks[start - 2 : start] == TWO_LETTERS]
    return _at(rule.pattern, reading.text, places)


def at_provinces(rule: Rule, reading: Reading) -> Iterator[re.Match[str]]:
    """At the characters of provinces before a letter, with which each match begins."""
    marks = reading.marks
    places = [at for at in reading.where(PROVINCE) if marks[at + 1 : at + 2] == ONE_LETTER]
    return _at(rule.pattern, reading.text, places)


def around_signs(rule: Rule, reading: Reading) -> Iterator[re.Match[str]]:
    """In all that can belong to the mail address of a sign, which may be of any length."""
    text = reading.text
    parts: list[tuple[int, int]] = []
    for at in rule.places(reading):
        start, known = at, parts[-1][1] if parts else 0
        while start > known and text[start - 1] in OF_ADDRESS:
            start -= 1
        behind = DOMAIN.match(text, at)
        parts.append((start, behind.end() if behind else at))
    for start, end in joined(parts):
        yield from rule.pattern.finditer(text, start, end)


def _at(pattern: re.Pattern[str], text: str, places: Iterable[int]) -> Iterator[re.Match[str]]:
    end = 0
    for at in places:
        if at >= end and (match := pattern.match(text, at)):
            yield match
            end = match.end()


def _always(_: str) -> bool:
    return True


def ipv6(text: str) -> bool:
    groups = [group for group in text.split(":") if group]
    return len(groups) >= 3 and ("::" in text or len(groups) == 8) and with_digit(text)


def mailbox(text: str) -> bool:
    """Whether a mail address in words is none by chance, as in `I bought it at shop dot com`."""
    words = BETWEEN_WORDS.split(text.lower())
    return words[0] not in NO_MAILBOX and words[-1] not in ("dot", "at")


NO_MAILBOX = frozenset(
    [
        "it",
        "is",
        "was",
        "are",
        "be",
        "been",
        "am",
        "them",
        "that",
        "this",
        "these",
        "those",
        "one",
        "things",
        "something",
        "stuff",
        "us",
        "me",
        "him",
        "her",
        "you",
        "out",
        "up",
        "in",
        "on",
        "bought",
        "found",
        "ordered",
        "look",
        "looking",
        "available",
        "sold",
        "shop",
        "shopping",
        "sale",
        "now",
        "here",
        "there",
        "up-to-date",
        "store",
        "online",
        "account",
    ]
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Values of one kind: the pattern's last group that took part, or all of it, when `valid` says so."""

    kind: str
    pattern: re.Pattern[str]
    """Its time grows with the text alone: where a repetition begins is fixed or what it takes is bounded."""
    needs: frozenset[str] = frozenset()
    """Words in lower case of which a text that holds such a value has one; none: any may."""
    also: frozenset[str] = frozenset()
    """Others of which it has one as well."""
    digits: int = 0
    """Digits that it has at least."""
    many: tuple[str, int] = ("", 0)
    """A sign, and how many of them it has at least."""
    valid: Callable[[str], bool] = _always
    number: bool = False
    """Whether there is a digit in it, of whatever script; behind the word, where it is looked for around words."""
    hint: re.Pattern[str] | None = None
    """What each match holds, in lower case: sooner searched for than the pattern."""
    tails: Tails = field(default_factory=dict)
    """Words, each of which is in a match with what follows it there."""
    anchors: frozenset[str] = frozenset()
    """Words of which each match holds one, or begins with one."""
    before: int = 0
    after: int = 0
    """Characters of a match before the place of its word or hint, and from there to its end, at most."""
    way: Way = whole
    """How its matches are looked for: all that `pattern.finditer` finds in a text that is `wanted`."""

    def wanted(self, reading: Reading) -> bool:
        """Whether a text may hold such a value."""
        return (
            reading.digits >= self.digits
            and (not self.number or bool(reading.runs))
            and (not self.many[1] or reading.lower.count(self.many[0]) >= self.many[1])
            and (not self.needs or reading.holds(self.needs))
            and (not self.also or reading.holds(self.also))
            and (self.way is not whole or not self.tails or bool(reading.begun(self.tails)))
            and (self.way is not whole or self.hint is None or self.hint.search(reading.seen) is not None)
        )

    def places(self, reading: Reading) -> list[int]:
        """Where what each match holds is, in order: a word with its tail, a hint, or any of the words."""
        near = reading.near
        if self.tails:
            places = [at for at, _ in reading.begun(self.tails)]
        elif self.hint is not None:
            places = [match.start() for match in self.hint.finditer(reading.seen)]
        else:
            places = [at for word in near if word in self.anchors for at in near[word]]
        places.sort()
        return places


def rule(
    kind: str,
    needs: str,
    pattern: str,
    valid: Callable[[str], bool] = _always,
    *,
    also: str = "",
    digits: int = 0,
    many: tuple[str, int] = ("", 0),
    flags: int = re.IGNORECASE,
    number: bool = False,
    hint: str = "",
    tail: str | Mapping[str, str] = "",
    anchors: str = "",
    reach: tuple[int, int] = (0, 0),
    way: Way | None = None,
) -> Rule:
    """A rule of words and patterns as they are written; with a `reach` it is looked for around its words.

    `tail` is that of the anchors, or of the needs where there are none; or that of some of them.
    """
    words, others, held = (frozenset(filter(None, one.split("|"))) for one in (needs, also, anchors))
    behind = tail if isinstance(tail, Mapping) else dict.fromkeys(held or words, tail)
    tails: Tails = (
        {word: re.compile(behind[word]) if word in behind else None for word in held or words} if tail else {}
    )
    return Rule(
        kind=kind,
        pattern=re.compile(pattern, flags),
        needs=words,
        also=others,
        digits=digits,
        many=many,
        valid=valid,
        number=number,
        hint=re.compile(hint) if hint else None,
        tails=tails,
        anchors=words | held,
        before=reach[0],
        after=reach[1],
        way=way or (around_words if reach[1] else whole),
    )
