"""Numbers of people: what groups of digits are by their lengths, their check digits and the words beside them.

One pass finds clusters of digits; each window of successive groups is looked up by the lengths of its groups. A
label beside a cluster (`labels.py`) says more than its shape: what it calls the shop's own stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from feedback.privacy.detect.checks import calendar_day
from feedback.privacy.detect.labels import ENDS_OF_MONEY, MONEY, UNIT, Labels, Meaning
from feedback.privacy.detect.reading import BETWEEN, JOINTS, Reading, Stretch
from feedback.privacy.detect.shapes import SHAPES, TOLL_FREE, Found, Window

LANDLINE = re.compile(r"0(?!7\d{9}$)\d{9,11}")
"""With its area; mobiles of Britain begin with 07."""
GAP = 3
"""Characters between two digits of a number, at most."""
GAPS = frozenset(bytes([BETWEEN]) * length for length in range(1, GAP + 1))
CLUSTER = re.compile(rf"\d(?:[{re.escape(JOINTS)}]{{0,{GAP}}}\d)*")
RUN = re.compile(r"\d+")
LEAST = 6
"""Digits of a cluster that can be a person's number."""
WINDOW = 8
"""Groups of one number at most."""
EXTENSION = re.compile(r"\s{0,2}(?:ext\.?|extension|x|转|分机)\s{0,2}\d{1,6}(?!\d)", re.I)
VERSION = re.compile(r"(?:version|release|build|firmware|driver|ver|v|版本号?|固件)\s{0,2}[:：]?\s{0,2}$", re.I)

LABELLED: dict[Meaning, tuple[str, int, int]] = {
    "phone": ("PHONE", 7, 15),
    "card": ("CARD", 12, 19),
    "account": ("ACCOUNT", 6, 30),
    "id": ("ID", 6, 18),
    "ssn": ("SSN", 9, 9),
}
"""What a label makes of a number of so many digits."""


def numbers(text: str, labels: Labels, clusters: Iterable[Sequence[Stretch]] | None = None) -> Iterator[Found]:
    """The personal numbers of `text`, in order; `clusters` are those of `crowds`, where they are known."""
    for runs in _clusters(text) if clusters is None else clusters:
        groups = _groups(text, runs)
        if sum(end - start for start, end in groups) >= LEAST:
            yield from _of_cluster(text, groups, labels)


def crowds(reading: Reading) -> list[list[Stretch]]:
    """The runs of digits of each cluster that has enough of them."""
    marks = reading.marks
    found: list[list[Stretch]] = []
    runs: list[Stretch] = []
    count = last = 0
    for run in reading.runs:
        start, end = run
        if start - last > GAP or marks[last:start] not in GAPS:
            if count >= LEAST:
                found.append(runs)
            runs, count = [], 0
        runs.append(run)
        last = end
        count += end - start
    if count >= LEAST:
        found.append(runs)
    return found


def _clusters(text: str) -> Iterator[list[Stretch]]:
    for match in CLUSTER.finditer(text):
        yield [run.span() for run in RUN.finditer(text, match.start(), match.end())]


def _groups(text: str, runs: Sequence[Stretch]) -> Sequence[Stretch]:
    """Runs of digits; one that hangs together with a letter is part of a code."""
    start, end = runs[0][0], runs[-1][1]
    first = 1 if start and _sticks(text[start - 1]) else 0
    last = -1 if _sticks(text[end : end + 1]) and not _ends_in_x(text, end) else None
    return runs[first:last] if first or last else runs


def _sticks(character: str) -> bool:
    return character.isascii() and (character.isalpha() or character in "_#") and character != ""


def _ends_in_x(text: str, end: int) -> bool:
    if text[end : end + 1] not in ("X", "x"):
        return False
    behind = text[end + 1 : end + 2]
    return not behind.isascii() or not behind.isalnum()


def _of_cluster(text: str, groups: Sequence[Stretch], labels: Labels) -> Iterator[Found]:
    at = 0
    while at < len(groups):
        taken, count = _at(text, groups, at, labels)
        if taken is not None:
            yield taken
        at += count


def _at(text: str, groups: Sequence[Stretch], at: int, labels: Labels) -> tuple[Found | None, int]:
    """What begins with group `at`, and how many groups it takes; a group alone where nothing does."""
    start = groups[at][0]
    lengths = tuple(end - begin for begin, end in groups[at : at + WINDOW])
    asked = (at == 0 or _alone(text, groups, at)) and sum(lengths) >= LEAST
    label = labels.before(start) if asked else None
    any_shape = label in LABELLED or "+" in text[max(0, start - 2) : start] or text.startswith("00", start)
    for count in range(len(lengths), 0, -1):
        if not any_shape and lengths[:count] not in SHAPES:
            continue
        window = _window(text, groups[at : at + count])
        kind = _kind(window, label, text[start : groups[at + count - 1][1]])
        if kind is not None and _spared(text, groups, at, count, kind, label, labels):
            return None, count
        if kind is not None:
            return _grown(text, groups[at][0], groups[at + count - 1][1], kind, window), count
    return None, 1


def _alone(text: str, groups: Sequence[Stretch], at: int) -> bool:
    """Whether the group before has enough digits to be a number of its own."""
    return groups[at - 1][1] - groups[at - 1][0] >= 4


def _window(text: str, groups: Sequence[Stretch]) -> Window:
    start, end = groups[0][0], groups[-1][1]
    before = text[max(0, start - 2) : start]
    return Window(
        "".join([text[a:b] for a, b in groups]),
        tuple([b - a for a, b in groups]),
        tuple([text[a[1] : b[0]] for a, b in pairwise(groups)]),
        "+" in before,
        text[end] if _ends_in_x(text, end) else "",
        before.rstrip(" ")[-1:] in ("(", "（"),
    )


def _kind(window: Window, label: Meaning | None, written: str) -> str | None:
    total = len(window.digits) + len(window.last)
    if label in LABELLED and window.gaps != (".",):
        kind, least, most = LABELLED[label]
        if least <= total <= most and not calendar_day(written):
            return kind
    if window.plus and 9 <= total <= 15 and not window.last:
        return "PHONE" if len(window.lengths) > 1 or total >= 10 else None
    for kind, test in SHAPES.get(window.lengths, ()):
        if test(window):
            return kind
    if (
        window.digits.startswith("00")
        and 11 <= total <= 16
        and window.lengths[0] in (2, 4, 5)
        and len(window.lengths) > 2
    ):
        return "PHONE"
    return None


def _spared(
    text: str, groups: Sequence[Stretch], at: int, count: int, kind: str, label: Meaning | None, labels: Labels
) -> bool:
    """Whether what looks like a person's number is the shop's own, an amount or a part of something else."""
    start, end = groups[at][0], groups[at + count - 1][1]
    if kind == "ID" and label != "shop":
        return False
    if kind == "IP":
        return bool(VERSION.search(text, max(0, start - 16), start)) or (
            text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit()
        )
    return (
        label == "shop"
        or labels.after(end) in ("shop", "amount")
        or (kind == "PHONE" and (_of_business(text, groups, at, count, labels) or label == "hotline"))
        or (kind in ("PHONE", "CARD", "ACCOUNT") and count == 1 and (label == "amount" or _amount(text, start, end)))
    )


def _amount(text: str, start: int, end: int) -> bool:
    """Whether a group alone is an amount, or a part of a fraction or a sum."""
    if text[start - 1 : start] in (".", ",") and text[start - 2 : start - 1].isdigit():
        return True
    if text[end : end + 1] == "," and text[end + 1 : end + 2].isdigit():
        return True
    fraction = text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit()
    if fraction or UNIT.match(text, end):
        return True
    before = text[max(0, start - 16) : start].rstrip()
    return before[-1:] in ENDS_OF_MONEY and MONEY.search(text, max(0, start - 16), start) is not None


def _of_business(text: str, groups: Sequence[Stretch], at: int, count: int, labels: Labels) -> bool:
    start, end = groups[at][0], groups[at + count - 1][1]
    digits = "".join(text[a:b] for a, b in groups[at : at + count])
    solid = groups[at][1] - groups[at][0] > 1 and len(digits) == 11  # 180 0000 0000 is a mobile in China
    return (
        (not solid and bool(TOLL_FREE.fullmatch(digits)))
        or labels.of_a_shop(start)
        or labels.after(end) == "hotline"
        or (bool(LANDLINE.fullmatch(digits)) and labels.of_a_place(start))
    )


def _grown(text: str, start: int, end: int, kind: str, window: Window) -> Found:
    """With the sign, bracket, X or extension that belong to the number."""
    if kind == "PHONE":
        while start and text[start - 1] in "+(（":
            start -= 1
        extension = EXTENSION.match(text, end)
        end = extension.end() if extension else end
        if text.count("(", start, end) > text.count(")", start, end) and text[end : end + 1] == ")":
            end += 1
    return Found(start, end + len(window.last), kind)
