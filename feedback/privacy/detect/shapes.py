"""The table of groups of digits: by the lengths of its groups, what a number may be, and the test that it must pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from feedback.privacy.detect.checks import card, ipv4, like_resident_id, resident_id

MOBILE = re.compile(r"(?:00?86|86)?1[3-9]\d{9}")
NANP = re.compile(r"1?[2-9]\d\d[2-9]\d{6}")
TOLL_FREE = re.compile(
    r"1?8(?:00|33|44|55|66|77|88)[2-9]\d{6}|[48]00\d{7}|95\d{3}|1(?:0086|0010|0000|2306|2345"
    r"|2315)"
)
LANDLINE = re.compile(r"0(?:10|2\d|[3-9]\d\d)[1-9]\d{6,7}")
ABROAD = re.compile(r"0[1-9]\d{7,10}")
HAND_OVER = re.compile(r"[6-9]\d{9}")


@dataclass(frozen=True, slots=True)
class Found:
    """A personal value: `text[start:end]`."""

    start: int
    end: int
    kind: str


class Window(NamedTuple):
    """Successive groups of a cluster: their digits joined, and what stands between them. Made for many, so a tuple."""

    digits: str
    lengths: tuple[int, ...]
    gaps: tuple[str, ...]
    plus: bool = False
    """Whether a plus sign stands before."""
    last: str = ""
    """An X behind the last digit."""
    bracket: bool = False
    """Whether the first group is in brackets."""


Test = Callable[[Window], bool]


def _mobile(window: Window) -> bool:
    return bool(MOBILE.fullmatch(window.digits))


def _nanp(window: Window) -> bool:
    apart = {gap.strip(" ") for gap in window.gaps} - {")", "）", ")-"}
    return bool(NANP.fullmatch(window.digits)) and len(apart) <= 1


def _landline(window: Window) -> bool:
    return bool(LANDLINE.fullmatch(window.digits))


def _abroad(window: Window) -> bool:
    return bool(ABROAD.fullmatch(window.digits)) and len({gap.strip() for gap in window.gaps} - {")"}) <= 1


def _ssn(window: Window) -> bool:
    area, group, serial = window.digits[:3], window.digits[3:5], window.digits[5:]
    return (
        window.gaps == ("-", "-") and area not in ("000", "666") and area < "900" and group != "00" < serial != "0000"
    )


def _card(window: Window) -> bool:
    return len(window.lengths) > 1 and (card(window.digits) or _printed(window))


def _printed(window: Window) -> bool:
    """Whether it is grouped as cards print their numbers, whatever the check digit says of a mistyped one."""
    fours = window.lengths[:4] == (4, 4, 4, 4) and window.digits[0] in "3456"
    return fours and len(set(window.gaps)) == 1 and window.gaps[0] in (" ", "-", "\u00a0", "  ")


def _solid_card(window: Window) -> bool:
    return len(window.digits) > 13 and card(window.digits)


def _resident(window: Window) -> bool:
    number = window.digits + window.last
    if len(number) != 18 or window.digits[0] == "0":
        return False
    return resident_id(number) or like_resident_id(number)


def _ip(window: Window) -> bool:
    return window.gaps == (".", ".", ".") and ipv4(".".join(split(window.digits, window.lengths)))


def split(digits: str, lengths: Iterable[int]) -> Iterator[str]:
    at = 0
    for length in lengths:
        yield digits[at : at + length]
        at += length


MOBILES = (
    (11,),
    (3, 4, 4),
    (3, 8),
    (3, 3, 5),
    (4, 4, 3),
    (4, 3, 4),
    (7, 4),
    (3, 4, 2, 2),
    (3, 2, 2, 2, 2),
    (5, 6),
    (1, 2, 4, 4),
)
SHAPES: dict[tuple[int, ...], list[tuple[str, Test]]] = {}


def _add(kind: str, test: Test, *shapes: tuple[int, ...]) -> None:
    for shape in shapes:
        SHAPES.setdefault(shape, []).append((kind, test))


_add(
    "ID",
    _resident,
    (18,),
    (17,),
    (6, 8, 4),
    (6, 8, 3),
    (6, 4, 4, 4),
    (6, 4, 4, 3),
    (6, 4, 2, 2, 4),
    (6, 4, 2, 2, 3),
    (3, 3, 4, 4, 4),
    (3, 3, 4, 4, 3),
    (6, 6, 6),
    (6, 6, 5),
    (3, 3, 8, 4),
    (3, 3, 8, 3),
    (4, 4, 4, 4, 2),
    (4, 4, 4, 4, 1),
    (2, 4, 8, 4),
    (2, 4, 8, 3),
    (6, 12),
    (6, 11),
    (14, 4),
    (14, 3),
)
_add(
    "CARD",
    _card,
    (4, 4, 4, 4),
    (4, 4, 4, 4, 3),
    (4, 4, 4, 4, 1),
    (4, 4, 4, 4, 2),
    (4, 6, 5),
    (4, 6, 4),
    (6, 13),
    (4, 4, 4, 7),
    (6, 6, 7),
    (8, 8),
    (6, 10),
    (4, 12),
    (5, 5, 5, 4),
    (4, 15),
    (4, 4, 4, 3),
    (4, 4, 5),
)
_add("CARD", _solid_card, (14,), (15,), (16,), (17,), (18,), (19,))
_add(
    "PHONE",
    _mobile,
    *MOBILES,
    *((2, *shape) for shape in MOBILES),
    *((4, *shape) for shape in MOBILES),
    (13,),
    (15,),
    (14,),
    (3, 11),
    (5, 4, 4),
)
_add("PHONE", _nanp, (3, 3, 4), (1, 3, 3, 4), (3, 7))
_add("PHONE", _landline, (3, 8), (4, 7), (4, 8), (3, 7), (3, 4, 4), (4, 4, 4), (4, 3, 4), (3, 3, 4), (11,), (12,))
_add(
    "PHONE",
    _abroad,
    (3, 4, 4),
    (5, 6),
    (5, 3, 3),
    (4, 3, 3),
    (4, 3, 4),
    (4, 7),
    (3, 3, 4),
    (2, 4, 4),
    (4, 6),
    (3, 8),
    (5, 5),
    (4, 8),
    (3, 3, 3),
    (3, 3, 2, 2),
    (4, 3, 2, 2),
)
_add("PHONE", lambda w: bool(HAND_OVER.fullmatch(w.digits)) and w.gaps[0] in (" ", "-"), (5, 5))
_add("PHONE", lambda w: w.digits[:2] in ("06", "07") and len(set(w.gaps)) == 1, (2, 2, 2, 2, 2))
_add("PHONE", lambda w: w.digits[0] in "78" and w.bracket, (1, 3, 3, 2, 2), (1, 3, 7))
_add("PHONE", lambda w: w.bracket and w.digits[2] == "9", (2, 5, 4))
_add("SSN", _ssn, (3, 2, 4))
for first in range(1, 4):
    _add("IP", _ip, *((first, b, c, d) for b in range(1, 4) for c in range(1, 4) for d in range(1, 4)))
