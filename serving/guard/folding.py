"""The text that is scored: compatibility forms, look-alikes, case, leet and spacing folded away, in linear time.

Made on a copy; what a model is asked stays as it is.
"""

from __future__ import annotations

import re

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.guard.characters import Oddity, characters

MARKED = 3
"""Invisible characters within words, or letters of another script in a Latin word, from which on that is a signal."""
HAN = (0x4E00, 0xA000)
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007f]{1,8}")
"""An emoji of a region's flag, whose letters are tags."""
_TAG = re.compile("[\U000e0020-\U000e007e]+")
_SEPARATORS = b" .-_*|/"
_APART = bytes(ord("s") if code in _SEPARATORS else ord("c") for code in range(256))
_SEPARATOR = np.frombuffer(_APART, np.uint8) == ord("s")
_SPACED = b"scscscs"
"""Single characters between separators, in a text that went through `_APART`: a search of bytes takes a microsecond
where a pattern takes five."""
_RUN = re.compile(r"[^\s.\-_*|/](?:([ .\-_*|/])[^\n])(?:\1[^\n]){3,}")


class Folded(msgspec.Struct, frozen=True, gc=False):
    """A text as it is scored."""

    text: str
    signals: tuple[str, ...] = ()
    """Of `invisible`, `tags`, `bidi`, `lookalike`, `spaced`: what had to be taken away that hides words."""
    hidden: str = ""
    """Text that stood in tag characters, not folded yet."""


def fold(text: str) -> Folded:
    """`text` as it is scored. Lone surrogates count as a question mark."""
    signals: tuple[str, ...] = ()
    hidden = ""
    if text.isascii():
        table = characters()
        raw = text.encode("ascii").translate(table.ascii, table.controls)
        plain = raw.decode("ascii")
    else:
        plain, signals, hidden = _folded(text)
        raw = plain.encode("ascii", "replace")
    if _SPACED in raw.translate(_APART) and _every_second(raw):
        closed = _RUN.sub(lambda run: run[0][::2], plain)
        if closed != plain:
            plain, signals = closed, (*signals, "spaced")
    while "  " in plain:
        plain = plain.replace("  ", " ")
    return Folded(plain, signals, hidden)


def _every_second(raw: bytes) -> bool:
    """Whether four characters, each second one, are the same separator: without them `_RUN` matches nothing."""
    held = np.frombuffer(raw, np.uint8)
    same = (held[:-2] == held[2:]) & _SEPARATOR.take(held[2:])
    return bool((same[:-4] & same[2:-2] & same[4:]).any())


def _folded(text: str) -> tuple[str, tuple[str, ...], str]:
    table = characters()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = table.kind.take(codes)
    signals: tuple[str, ...] = ()
    hidden = ""
    if kinds.any():
        present = set(np.flatnonzero(np.bincount(kinds)).tolist())
        if Oddity.TAG in present:
            hidden = "".join(_TAG.findall(_FLAG.sub("", text)))
            hidden = "".join(chr(ord(char) - 0xE0000) for char in hidden)
        signals = _signals(codes, kinds, bool(hidden))
        if Oddity.EXPANDS in present:
            expanded = text
            for code in np.unique(codes[kinds == Oddity.EXPANDS]).tolist():
                expanded = expanded.replace(chr(code), table.expansions[code])
            codes = np.frombuffer(expanded.encode("utf-32-le", "surrogatepass"), np.uint32)
    seen = table.fold.take(codes)
    return seen[seen != 0].tobytes().decode("utf-32-le"), signals, hidden


def _signals(codes: NDArray[np.uint32], kinds: NDArray[np.uint8], tags: bool) -> tuple[str, ...]:
    """Names of what hides words in a text."""
    found = []
    letter = ((codes | 0x20) - 0x61 < 26) & (codes < 0x80)
    joined = letter | ((codes >= HAN[0]) & (codes < HAN[1]))
    within = np.zeros(len(codes), bool)
    within[1:] = joined[:-1]
    invisible = (kinds == Oddity.INVISIBLE) | ((kinds == Oddity.JOINER) & within)
    if np.count_nonzero(invisible) >= MARKED:
        found.append("invisible")
    if tags:
        found.append("tags")
    if ((codes == 0x202D) | (codes == 0x202E)).any():
        found.append("bidi")
    alike = kinds == Oddity.LOOKALIKE
    beside = np.zeros(len(codes), bool)
    beside[1:] |= letter[:-1]
    beside[:-1] |= letter[1:]
    if np.count_nonzero(alike & beside) >= MARKED:
        found.append("lookalike")
    return tuple(found)
