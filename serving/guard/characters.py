"""What each character counts as when a text is scored: its plain look-alike, nothing, or a few characters.

One table of all code points, so that a text of any script is folded by one numpy gather. `unicodedata.normalize` on the
text itself was considered: it is ten times slower, and quadratic in the length of a run of combining marks.
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

CODES = 0x110000
LEET = str.maketrans("013457@$", "oieastas")
"""Digits and signs that stand for letters."""
LONGEST = 4
"""Characters to which one may expand; of a longer one (an Arabic ligature of a sentence) the first stands for it."""
LOOKALIKES = {
    "a": "аɑαạ⍺", "b": "Ьʙвᏼ", "c": "сϲᴄƈ", "d": "ԁɗժ", "e": "еєҽε", "f": "ƒғ", "g": "ɡցԍ", "h": "һհнʜ",
    "i": "іıɩιӏǀ⍳", "j": "јϳʝ", "k": "кκᴋⲕ", "l": "ⅼɫ", "m": "мᴍ", "n": "ոռɴпᴨη", "o": "оοօσᴏөɵ", "p": "рρᴘ⍴ᴩ",
    "q": "ԛգ", "r": "гᴦɾʀ", "s": "ѕꜱʂ", "t": "тτᴛ", "u": "υսᴜцμ", "v": "νѵᴠ", "w": "ԝωɯшᴡ⍵", "x": "хχ", "y": "уγүʏ",
    "z": "ᴢʐ", "æ": "ӕ", "ð": "đ", "ə": "ǝә", "л": "ᴫλʌ", "б": "ƃ", "ʒ": "ӡ", "!": "ǃ", "-": "‐‑‒–—−", "'": "‘’ʼ`´",
    '"': "“”„",
}  # fmt: skip
"""Characters of other scripts, in lower case, with the Latin letter that they look like: the first letter they fool."""

_RANGES = ((0, 0x3400), (0xA000, 0xAC00), (0xD7A4, 0xE000), (0xF900, 0x17000), (0x1CF00, 0x20000), (0xE0000, 0xE0200))
"""Outside them characters stand for themselves: ideographs, syllables, private ones."""
_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_TAGS = range(0xE0000, 0xE0080)
_JOINERS = (0x200C, 0x200D, 0xFE0E, 0xFE0F, 0xAD, 0x200E, 0x200F, 0x61C, 0xFEFF, *range(0xFE00, 0xFE0E))


class Oddity(IntEnum):
    """What is special about a character."""

    ORDINARY = 0
    INVISIBLE = 1
    TAG = 2
    BIDI = 3
    JOINER = 4
    """Invisible, and in its place within emoji, Persian and Arabic."""
    LOOKALIKE = 5
    """Of another script, looks like a Latin letter."""
    EXPANDS = 6


@dataclass(frozen=True, slots=True)
class Characters:
    """The table."""

    fold: NDArray[np.uint32]
    """By code point, what it counts as; 0: nothing."""
    kind: NDArray[np.uint8]
    """By code point, its `Oddity`."""
    expansions: dict[int, str]
    """What those count as that are several characters."""
    ascii: bytes
    """`fold` of the first 128, for `bytes.translate`."""
    controls: bytes
    """Those of the first 128 that count as nothing."""


@functools.cache
def characters() -> Characters:
    """The table, made on first use (a tenth of a second)."""
    fold = np.arange(CODES, dtype=np.uint32)
    kind = np.zeros(CODES, dtype=np.uint8)
    expansions: dict[int, str] = {}
    alike = {char: plain for plain, chars in LOOKALIKES.items() for char in chars}
    for code in (code for first, end in _RANGES for code in range(first, end)):
        if 0xD800 <= code < 0xE000:
            fold[code] = ord("?")
            continue
        if (special := _special(code)) is not None:
            fold[code], kind[code] = 0, special
            continue
        char = _plain(chr(code))
        seen = "".join(alike.get(one, one) for one in char).translate(LEET)
        if len(seen) == 1 or len(seen) > LONGEST:
            fold[code] = ord(seen[0])
            if code > 0x7F and seen.isascii() and seen.isalpha() and char != seen:
                kind[code] = Oddity.LOOKALIKE
        elif seen:
            expansions[code] = seen
            kind[code] = Oddity.EXPANDS
        else:
            fold[code] = 0
    for code in (9, 10, 11, 12, 13, 0x85, 0x2028, 0x2029):
        fold[code] = ord(" ")
    ascii_ = [int(code) for code in fold[:128]]
    controls = bytes(code for code, seen in enumerate(ascii_) if seen == 0)
    return Characters(fold, kind, expansions, bytes([*ascii_, *range(128, 256)]), controls)


def _special(code: int) -> Oddity | None:
    if code in _TAGS:
        return Oddity.TAG
    if code in _BIDI:
        return Oddity.BIDI
    if code in _JOINERS:
        return Oddity.JOINER
    if 0xE0100 <= code < 0xE01F0 or code in (0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFFA0, 0x034F):
        return Oddity.INVISIBLE
    if unicodedata.category(chr(code)) == "Cf":
        return Oddity.INVISIBLE
    return None


def _plain(char: str) -> str:
    """A character's compatibility form in lower case without marks; empty where it is a mark, or a control."""
    if unicodedata.category(char) == "Cc" and char not in "\t\n\v\f\r\x85":
        return ""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))
