"""Where the fields of a JSON object stand in its bytes: compiled patterns, linear in the size, bounded in steps.

No JSON library tells positions; a hand-written scan of 8 MiB would stop the event loop for seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from understudy.errors import TooLarge

MAX_STRINGS, MAX_BRACKETS, MAX_FIELDS = 200_000, 50_000, 5_000
"""Bounds of a body that must be scanned: strings and brackets in all, fields of the outermost object."""

_FIELD = re.compile(rb'[\s{,]*+("[^"]*+")\s*+:\s*+')
_GAP = re.compile(rb"[\s,]*+")
_SCALAR = re.compile(rb'"[^"]*+"|[^\s,}\]]++')
_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"[^"]*+"[^"{}\[\]]*+)*+[{}\[\]]')
"""The next bracket outside strings."""


def mask(raw: bytes) -> bytes:
    r"""`raw` with every `\\` and `\"` blanked by bytes that UTF-8 does not have; all positions stay.

    What is left of backslashes begins an escape, and what is left of quotes begins or ends a string.
    """
    if b"\\" not in raw:
        return raw
    return raw.replace(b"\\\\", b"\xff\xff").replace(b'\\"', b"\xfe\xfe")


def fields(raw: bytes, masked: bytes, at: int = 0) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of every value of the object that begins at `at` of `raw`, valid JSON, in order.

    Raises:
        TooLarge: it would take too many steps.
    """
    if at == 0 and masked.count(b'"') > 2 * MAX_STRINGS:
        raise _too_intricate(MAX_STRINGS, "strings")
    brackets = count = 0
    while (key := _FIELD.match(masked, at)) is not None:
        start = key.end()
        at, seen = _end(masked, start, MAX_BRACKETS - brackets)
        brackets += seen
        count += 1
        if count > MAX_FIELDS:
            raise _too_intricate(MAX_FIELDS, "fields")
        yield msgspec.json.decode(raw[key.start(1) : key.end(1)]), start, at


def elements(masked: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of every value of the array that begins at `at`, in order; raises as `fields`."""
    brackets, at = 0, at + 1
    while masked[at := _GAP.match(masked, at).end()] != 0x5D:  # type: ignore[union-attr]
        start = at
        at, seen = _end(masked, start, MAX_BRACKETS - brackets)
        brackets += seen
        yield start, at


def _end(masked: bytes, start: int, most: int) -> tuple[int, int]:
    """The end of the value that begins at `start`, and how many brackets it has."""
    if masked[start] in b"{[":
        return _skip(masked, start, most)
    value = _SCALAR.match(masked, start)
    assert value is not None
    return value.end(), 0


def _skip(masked: bytes, start: int, most: int) -> tuple[int, int]:
    """The end of the array or object that begins at `start`, and how many brackets it has."""
    depth = 0
    for seen, match in enumerate(_BRACKET.finditer(masked, start), 1):
        end = match.end()
        depth += 1 if masked[end - 1] in b"{[" else -1
        if not depth:
            return end, seen
        if seen > most:
            break
    raise _too_intricate(MAX_BRACKETS, "brackets")


def quoted(masked: bytes, places: Sequence[int], at: int = 0) -> Iterator[int]:
    """Those of `places`, in order, that stand within a string; `at`, before them, does not."""
    quotes = 0
    for place in places:
        quotes += masked.count(b'"', at, place)
        at = place
        if quotes % 2:
            yield place


def around(raw: bytes, name: str) -> tuple[memoryview, ...]:
    """Views of the bytes before, between and after the values of the outermost field `name`.

    Raises:
        TooLarge: as `fields`.
    """
    parts, done, view = [], 0, memoryview(raw)
    for field, start, end in fields(raw, mask(raw)):
        if field == name:
            parts.append(view[done:start])
            done = end
    return (*parts, view[done:])


def _too_intricate(most: int, what: str) -> TooLarge:
    return TooLarge(f"the body has more than {most} {what}, too many to find what must be changed in it")
