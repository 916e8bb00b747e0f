"""What a rule of the table is: a pattern, what a text must hold for it to be tried, and when a match counts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from feedback.privacy.detect.reading import Reading, Tails
from feedback.privacy.detect.windows import around


def no_word(text: str) -> bool:
    """Whether `text` is more than a word such as `required` or `case-sensitive`."""
    return bool(re.search(r"[^A-Za-z'.-]", text))


def mixed(text: str) -> bool:
    """Whether `text` holds letters and digits, as generated keys do."""
    return bool(re.search(r"\d", text) and re.search(r"[A-Za-z]", text))


def with_digit(text: str) -> bool:
    """Whether `text` holds a digit."""
    return bool(re.search(r"\d", text))


def _always(_: str) -> bool:
    return True


def ipv6(text: str) -> bool:
    groups = [group for group in text.split(":") if group]
    return len(groups) >= 3 and ("::" in text or len(groups) == 8) and with_digit(text)


def mailbox(text: str) -> bool:
    """Whether a mail address in words is none by chance, as in `I bought it at shop dot com`."""
    words = re.split(r"[^A-Za-z0-9]+", text.lower())
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
    """Whether there is a digit in it, of whatever script."""
    hint: re.Pattern[str] | None = None
    """What a text with such a value holds, in lower case: sooner searched for than the pattern."""

    tails: Tails = field(default_factory=dict)
    """Of its needs, each of which is in a match with what follows it there."""
    within: int = 0
    """Characters of a match at most; 0: any number, or none of its words need be in it."""
    anchors: frozenset[str] = frozenset()
    """With `within`: words of which each match holds one, so that it is looked for around these alone."""

    def wanted(self, reading: Reading, digits: int) -> bool:
        """Whether a text with so many digits may hold such a value."""
        return (
            digits >= self.digits
            and (not self.number or bool(reading.digits))
            and (not self.many[1] or reading.lower.count(self.many[0]) >= self.many[1])
            and (not self.needs or reading.holds(self.needs))
            and (not self.also or reading.holds(self.also))
            and (self.hint is None or self.hint.search(reading.seen) is not None)
            and (not self.tails or bool(reading.begun(self.tails)))
        )

    def parts(self, reading: Reading) -> list[tuple[int, int]]:
        """(start, end) of the parts of the text in which all matches are, for one with `within`."""
        parts = around(reading.near, self.anchors, self.within, self.within)
        return [part for part in parts if reading.digit_within(*part)] if self.number else parts


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
    tail: str = "",
    within: int = 0,
    anchors: str = "",
) -> Rule:
    words, others, held = (frozenset(filter(None, one.split("|"))) for one in (needs, also, anchors))
    tails: Tails = dict.fromkeys(words, re.compile(tail)) if tail else {}
    hinted, held = re.compile(hint) if hint else None, words | held if within else frozenset()
    return Rule(
        kind, re.compile(pattern, flags), words, others, digits, many, valid, number, hinted, tails, within, held
    )
