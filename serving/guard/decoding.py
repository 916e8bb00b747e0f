"""Texts within a text: base64, hex, URL escapes and rot13, decoded where a cheap look says that they stand there.

The detectors look at the alphabet and the length of runs, and at how often letters occur; what is decoded counts only
where it is text itself. At most `MOST` a text, of at most `LONGEST_CODE` characters each.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

MOST = 2
LONGEST_CODE = 8_192
SHORTEST = 24
"""Characters of a run of base64 or hex from which on it is looked at; it stands for half of them or more."""
_SORTS = {"h": "0123456789abcdefABCDEF", "b": "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ+/-_", "s": " ,:"}
_SORT = bytes(ord(next((sort for sort, chars in _SORTS.items() if chr(code) in chars), ".")) for code in range(256))
"""What a byte may be of: hex and base64, base64 alone, what stands between pairs of hex, or nothing of these."""
_SAME = bytes(ord("h") if sort in b"hb" else ord(".") for sort in _SORT)
_RUN_SEEN, _PAIRS_SEEN = b"h" * SHORTEST, b"hhs" * (SHORTEST // 2 - 1)
"""How runs look after `_SAME`, and pairs after `_SORT`: a search of bytes, before any pattern is tried."""
_RUN = re.compile(rb"[A-Za-z0-9+/_-]{%d,%d}+(?:\r?\n[A-Za-z0-9+/_-]{4,76}+){0,200}" % (SHORTEST, LONGEST_CODE))
_PAIRS = re.compile(rb"(?:[0-9a-fA-F]{2}[ ,:]?){%d,%d}" % (SHORTEST // 2, LONGEST_CODE // 2))
_HEX = re.compile(rb"[0-9a-fA-F]+")
_SAFE = bytes.maketrans(b"+/", b"-_")
_ESCAPES = 6
"""Percent signs from which on a text is looked at as a URL's."""
_LETTERS = bytes(
    ord("e") if chr(code) in "etoihETOIH" else ord("r") if chr(code) in "rgbvuRGBVU" else ord(".")
    for code in range(256)
)
"""Frequent letters of English, and what rot13 makes of them."""
_FEWEST = 6
_PIECE = 96
"""Characters of which the letters are counted together."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text that was found within another."""

    code: str
    text: str


def decoded(text: str) -> list[Decoded]:
    """The texts that `text` holds in a code, two at most; one within a code counts as well."""
    found: list[Decoded] = []
    for one in _once(text):
        found.append(one)
        if len(found) == MOST:
            return found
    for outer in list(found):
        for one in _once(outer.text):
            found.append(Decoded(f"{outer.code}+{one.code}", one.text))
            if len(found) == MOST:
                return found
    return found


def _once(text: str) -> Iterable[Decoded]:
    raw = text.encode("ascii", "replace")  # no other character belongs to a code
    runs = _RUN_SEEN in raw.translate(_SAME)
    coded = runs or _PAIRS_SEEN in raw.translate(_SORT)
    escaped = text.count("%") >= _ESCAPES
    rotated = not runs and _reads_rotated(raw.translate(_LETTERS), 0.5)
    return _found(text, coded, escaped, rotated) if coded or escaped or rotated else ()


def _found(text: str, coded: bool, escaped: bool, rotated: bool) -> Iterator[Decoded]:
    """What the codes stand for that a text looks like."""
    if coded:
        yield from _runs(text.encode("utf-8", "replace"))
    if escaped:
        plain = unquote(text[: 3 * LONGEST_CODE])
        if len(text) - len(plain) >= 2 * _ESCAPES:
            yield Decoded("url", plain)
    if rotated and (turned := _rotated(text[: 4 * LONGEST_CODE])):
        yield Decoded("rot13", turned)


def _runs(raw: bytes) -> Iterator[Decoded]:
    """The longest runs of hex, else of base64, that stand for text."""
    for run in sorted((match[0] for match in _PAIRS.finditer(raw)), key=len, reverse=True)[:MOST]:
        if (plain := _of_hex(run)) is not None:
            yield Decoded("hex", plain)
            return
    for run in sorted((match[0] for match in _RUN.finditer(raw)), key=len, reverse=True)[:MOST]:
        if (plain := _of_base64(run)) is not None:
            yield Decoded("base64", plain)


def _of_hex(run: bytes) -> str | None:
    digits = b"".join(_HEX.findall(run))
    return _as_text(bytes.fromhex(digits[: len(digits) // 2 * 2].decode()))


def _of_base64(run: bytes) -> str | None:
    letters = b"".join(run.split()).translate(_SAFE)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return _as_text(base64.urlsafe_b64decode(letters + b"=" * (-len(letters) % 4)))
    except binascii.Error:
        return None


def _as_text(raw: bytes) -> str | None:
    """`raw` where it is text: UTF-8 up to a cut end, nearly all of it printable."""
    text = raw.decode("utf-8", "ignore")
    if len(text.encode()) < 0.9 * len(raw):
        return None
    printable = sum(char.isprintable() or char in "\r\n\t" for char in text)
    return text if printable >= 0.95 * len(text) and len(text) >= SHORTEST // 3 else None


def _rotated(text: str) -> str:
    """The parts of a text that read like rot13, decoded; empty without one."""
    letters = text.encode("ascii", "replace").translate(_LETTERS)
    half = _PIECE // 2
    reads = [_reads_rotated(letters, 1.2, at, at + _PIECE) for at in range(0, len(text), half)]
    kept = [text[n * half :][:half] for n, one in enumerate(reads) if one or (n and reads[n - 1])]
    return codecs.decode("".join(kept)[:LONGEST_CODE].encode("utf-8", "replace").decode(), "rot13") if kept else ""


def _reads_rotated(letters: bytes, share: float, start: int = 0, end: int | None = None) -> bool:
    """Whether a text, by `_LETTERS`, has so many of rot13's frequent ones for each one of English's."""
    rotated = letters.count(b"r", start, end)
    return rotated >= _FEWEST and rotated > share * letters.count(b"e", start, end)
