"""Control tokens of chat templates in JSON text: found by compiled patterns, however they are spelled."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import lru_cache

from deploy.engines.splitting.joints import Joints
from deploy.engines.splitting.json_text import fields, mask, quoted
from deploy.engines.splitting.placing import SPLIT_IN, TokenPlaces
from understudy.errors import TooLarge

SPLIT = b"\\u200b"
"""Put after a control token's first character: a zero-width space as a JSON escape."""
MAX_STARTS = 1_000_000
"""Places at which a token could begin (`<`, say), each of which costs 0.2 us of the event loop."""
MAX_TOKENS = 20_000
FEW = 64
"""Bytes to each place at which a token could begin: where there are more places, the text is searched as a whole."""
_SHORT = {
    '"': b"\xfe\xfe", "\\": b"\xff\xff", "/": b"\\/", "\n": b"\\n", "\t": b"\\t", "\r": b"\\r", "\b": b"\\b",
    "\f": b"\\f",
}  # fmt: skip
"""Short escapes, in masked text."""
_NOT_IN_AN_ESCAPE = rb"(?<!\\)(?<!\\u)(?<!\\u[0-9a-fA-F])(?<!\\u[0-9a-fA-F]{2})(?<!\\u[0-9a-fA-F]{3})"
MOST_LISTS = 8
"""Lists of control tokens whose patterns are kept: those of the engines that are live, and of some before."""
Spelling = Callable[[str], bytes]


class ControlTokens:
    """Splits `tokens`, each of two characters or more of the basic plane, where a template writes text."""

    def __init__(self, tokens: Iterable[str]) -> None:
        given = tuple(tokens)
        self._places = TokenPlaces(given)
        self._plain = _pattern(given, _plain, _plain) if given else None
        self._spelled = [_pattern(given, first, _any) for first in (_plain, _escaped)] if given else []
        self._joints = Joints(given, _pattern(given, _itself, _itself), self._cuts) if given else None
        letters = {char for token in given for char in token}
        self._escapes = [b"\\u", *(_SHORT[char] for char in letters if char in _SHORT)]
        firsts = {token[0] for token in given}
        self._starts = [char.encode() for char in firsts]
        self._escaped_starts = [b"\\u" + digits for char in firsts for digits in {_hex(char), _hex(char).upper()}]

    def neutralised(self, raw: bytes) -> bytes:
        """`raw`, valid JSON, with every token split in messages, descriptions of tools, documents, a template's values.

        Those included that come about where an engine takes messages apart (`joints`). The same object when there is
        none.

        Raises:
            BadRequest: one stands in a name, which cannot be changed.
            TooLarge: it would take too long to tell.
        """
        masked = mask(raw)
        if len(raw) <= MAX_STARTS and self._holds_none(masked):
            return raw
        cuts = self._cuts(masked)
        apart = self._joints.apart(raw, masked) if self._joints is not None else ()
        if not cuts and not apart:
            return raw
        places = set(apart)
        for name, start, end in fields(raw, masked):
            here = cuts[bisect_left(cuts, start) : bisect_left(cuts, end)] if name in SPLIT_IN else []
            if here:
                self._places.check(name, raw[start:end])
            places.update(quoted(masked, here, start))
        out: list[bytes] = []
        done = 0
        for place in sorted(places):
            out += (raw[done:place], SPLIT)
            done = place
        return b"".join([*out, raw[done:]]) if out else raw

    def _holds_none(self, masked: bytes) -> bool:
        """Whether it is seen at once that nothing is to be split, as of nearly every request."""
        for escape in self._escapes:
            if escape in masked:
                return False
        if self._plain is not None and _found(self._plain, self._starts, masked):
            return False
        return self._joints is None or self._joints.holds_none(masked)

    def check_roles(self, roles: Iterable[object]) -> None:
        """See `TokenPlaces.check_roles`."""
        self._places.check_roles(roles)

    def _cuts(self, masked: bytes) -> list[int]:
        """Where the first character of each token ends, in order."""
        if self._plain is None:
            return []
        spelled = any(escape in masked for escape in self._escapes)
        starts = self._starts + self._escaped_starts if spelled else self._starts
        if len(masked) > MAX_STARTS and sum(map(masked.count, starts)) > MAX_STARTS:
            raise TooLarge(f"the body has more than {MAX_STARTS} places at which a control token could begin")
        cuts: list[int] = []
        for pattern in self._spelled if spelled else [self._plain]:
            for match in pattern.finditer(masked):
                cuts.append(match.end())
                if len(cuts) > MAX_TOKENS:
                    raise TooLarge(f"the body has more than {MAX_TOKENS} control tokens")
        return sorted(cuts) if spelled else cuts


def _found(pattern: re.Pattern[bytes], starts: list[bytes], text: bytes) -> bool:
    """Whether `pattern`, which begins with one of `starts`, matches anywhere in `text`.

    Places of `starts` are looked up one by one as long as they are few: a search takes its time for all between them.
    """
    left = len(text) // FEW
    for start in starts:
        place = text.find(start)
        while place >= 0:
            if left == 0:
                return pattern.search(text) is not None
            if pattern.match(text, place) is not None:
                return True
            left -= 1
            place = text.find(start, place + 1)
    return False


@lru_cache(MOST_LISTS)
def splitter_of(tokens: tuple[str, ...]) -> ControlTokens:
    """The one for `tokens`, made once."""
    return ControlTokens(dict.fromkeys(tokens))


def _pattern(tokens: Iterable[str], first: Spelling, rest: Spelling) -> re.Pattern[bytes]:
    """Matches the first character of each token, where the others follow."""
    starts: dict[str, list[str]] = {}
    for token in tokens:
        starts.setdefault(token[0], []).append(token[1:])
    return re.compile(b"|".join(first(char) + b"(?=" + _tree(tails, rest) + b")" for char, tails in starts.items()))


def _tree(tails: list[str], spell: Spelling) -> bytes:
    """A pattern for any of `tails`, their common beginnings written once."""
    if "" in tails:
        return b""
    starts: dict[str, list[str]] = {}
    for tail in tails:
        starts.setdefault(tail[0], []).append(tail[1:])
    return b"(?:" + b"|".join(spell(char) + _tree(more, spell) for char, more in starts.items()) + b")"


def _hex(char: str) -> bytes:
    return b"%04x" % ord(char)


def _itself(char: str) -> bytes:
    return re.escape(char.encode())


def _plain(char: str) -> bytes:
    """The character itself; what may be part of an escape, or of the text's structure, only where it is not."""
    if char in '"\\':
        return b"(?!)"
    guard = _NOT_IN_AN_ESCAPE if char.isascii() and (char.isalnum() or char == "/") else b""
    return guard + re.escape(char.encode())


def _escaped(char: str) -> bytes:
    digits = b"".join(b"[%c%c]" % (d, d - 32) if d >= ord("a") else b"%c" % d for d in _hex(char))
    short = b"|" + re.escape(_SHORT[char]) if char in _SHORT else b""
    return rb"(?:\\u" + digits + short + b")"


def _any(char: str) -> bytes:
    """Every spelling of a character, given that one begins here."""
    plain = b"" if char in '"\\' else re.escape(char.encode()) + b"|"
    return b"(?:" + plain + _escaped(char) + b")"
