"""What a rule of the table is: a pattern, what a text must hold for it to be tried, and when a match counts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace


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
    needs: tuple[str, ...] = ()
    """Words in lower case of which a text that holds such a value has one; none: any may."""
    also: tuple[str, ...] = ()
    """Others of which it has one as well."""
    digits: int = 0
    """Digits that it has at least."""
    many: tuple[str, int] = ("", 0)
    """A sign, and how many of them it has at least."""
    valid: Callable[[str], bool] = _always

    @property
    def in_ascii(self) -> bool:
        """Whether a text of ASCII may hold one."""
        return self.kind != "PLATE" or bool(self.needs)

    def without_others(self) -> Rule:
        """The same rule for texts of ASCII alone."""
        needs, also = (tuple(word for word in words if word.isascii()) for words in (self.needs, self.also))
        return replace(self, needs=needs, also=also)

    def wanted(self, lower: str, digits: int) -> bool:
        """Whether a text with so many digits may hold such a value."""
        return (
            digits >= self.digits
            and lower.count(self.many[0]) >= self.many[1]
            and (not self.needs or _any(self.needs, lower))
            and (not self.also or _any(self.also, lower))
        )


def _any(words: tuple[str, ...], text: str) -> bool:
    for word in words:  # noqa: SIM110 - a generator takes three times as long
        if word in text:
            return True
    return False


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
) -> Rule:
    words, others = tuple(filter(None, needs.split("|"))), tuple(filter(None, also.split("|")))
    return Rule(kind, re.compile(pattern, flags), words, others, digits, many, valid)
