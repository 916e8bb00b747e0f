"""What the stages of the guard say by their definitions, without any short way: each text through every pattern."""

from __future__ import annotations

import codecs
import math
import re
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

import numpy as np

from serving.guard.characters import Oddity, characters
from serving.guard.decoding import LONGEST_CODE, MOST, SHORTEST, Decoded, _runs
from serving.guard.folding import Folded, _signals
from serving.guard.model.features import BITS
from serving.guard.model.linear import CALM, SPAN, STEP, LinearModel

_RUN = re.compile(r"[^\s.\-_*|/](?:([ .\-_*|/])[^\n])(?:\1[^\n]){3,}")
_APART = re.compile(r"(?:[ .\-_*|/][^ .\-_*|/]){3}[ .\-_*|/]", re.DOTALL)
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007f]{1,8}")
_TAG = re.compile("[\U000e0020-\U000e007e]+")
_LONG = re.compile(rf"[A-Za-z0-9+/_-]{{{SHORTEST}}}")
_CODED = re.compile(rf"{_LONG.pattern}|(?:[0-9a-fA-F]{{2}}[ ,:]){{{SHORTEST // 2 - 1}}}")
_P, _MIXES = 0x01000193, (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35)
_NEXT, _AFTER, _PAIR = 0x27D4EB2F, 0x165667B1, 0xB5297A4D
_WORD = 0xFFFFFFFF


def folded(text: str) -> Folded:
    """`fold` character by character."""
    table = characters()
    signals: tuple[str, ...] = ()
    hidden = ""
    if not text.isascii():
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        kinds = table.kind.take(codes)
        if (kinds == Oddity.TAG).any():
            hidden = "".join(chr(ord(char) - 0xE0000) for char in "".join(_TAG.findall(_FLAG.sub("", text))))
        signals = _signals(codes, kinds, bool(hidden)) if kinds.any() else ()
    expanded = text.translate(table.expansions)
    plain = "".join(chr(seen) for char in expanded if (seen := int(table.fold[ord(char)])))
    if _APART.search(plain) and (closed := _RUN.sub(lambda run: run[0][::2], plain)) != plain:
        plain, signals = closed, (*signals, "spaced")
    return Folded(re.sub(" {2,}", " ", plain), signals, hidden)


def decoded(text: str) -> list[Decoded]:
    """`decoding.decoded`."""
    found = list(_once(text))[:MOST]
    for outer in list(found):
        found += [Decoded(f"{outer.code}+{one.code}", one.text) for one in _once(outer.text)]
    return found[:MOST]


def _once(text: str) -> Iterator[Decoded]:
    if _CODED.search(text):
        yield from _runs(text.encode("utf-8", "replace"))
    if text.count("%") >= 6 and len(text) - len(plain := unquote(text[: 3 * LONGEST_CODE])) >= 12:
        yield Decoded("url", plain)
    if not _LONG.search(text) and _rotated(text, 0.5):
        reads = [_rotated(text[at : at + 96], 1.2) for at in range(0, len(text), 48)]
        before = [False, *reads]
        kept = "".join(text[48 * n : 48 * n + 48] for n in range(len(reads)) if reads[n] or before[n])
        if kept:
            yield Decoded("rot13", codecs.decode(kept[:LONGEST_CODE], "rot13").encode("utf-8", "replace").decode())


def _rotated(text: str, share: float) -> bool:
    turned, plain = (sum(text.count(char) for char in chars) for chars in ("rgbvuRGBVU", "etoihETOIH"))
    return turned >= 6 and turned > share * plain


def repeats(text: str) -> bool:
    """`repetition.repeats`, the whole text compressed."""
    if len(text) < 2000:
        words = text.split()
        if len(text) < 600:
            return False
        if len(words) < 64:
            return len(words) <= 2 and len(set(text)) <= 2
        return len(set(words)) < 0.02 * len(words)
    raw = text.encode("utf-8", "replace")
    return len(zlib.compress(raw, 1)) < 0.02 * len(raw)


def score(model: LinearModel, text: str) -> float:
    """`LinearModel.score` of a folded text, bucket by bucket, in Python's own numbers."""
    dense = [ord(char) for char in text if char != " "]
    n = len(dense)
    if not n:
        return model.bias
    padded = [*dense, 0, 0, 0, 0]
    weights = (model.weights.astype(np.float64) * model.scale).tolist()
    worth, five, han = [0.0] * n, [], 0
    for at in range(n):
        hashed = (padded[at] * _P + padded[at + 1]) & _WORD
        if padded[at] >= 0x2E80:
            worth[at] += weights[((hashed * _PAIR) & _WORD) >> (32 - BITS)]
            han += 1
        for order, mix in enumerate(_MIXES, 2):
            hashed = (hashed * _P + padded[at + order]) & _WORD
            worth[at] += weights[((hashed * mix) & _WORD) >> (32 - BITS)]
        five.append(hashed)
    starts = [min(start, n - 1) for start in _starts(text)]
    known = [five[start] for start in starts]
    for place in range(len(starts) - 2):
        for other, mix in ((1, _NEXT), (2, _AFTER)):
            both = (known[place] * mix + known[place + other]) & _WORD
            worth[starts[place]] += weights[((both * _MIXES[0]) & _WORD) >> (32 - BITS)]
    shift = model.bias + model.han * han / n
    if n <= SPAN:
        return shift + sum(worth) / math.sqrt(n + CALM)
    parts = [sum(worth[at : at + SPAN]) for at in (*range(0, n - SPAN + 1, STEP), n - SPAN)]
    return shift + max(parts) / math.sqrt(SPAN + CALM)


def _starts(text: str) -> list[int]:
    """How many characters that are no blanks stand before each word of `text`, empty ones included."""
    before = [at for at, char in enumerate(text) if char == " "]
    return [0, *(at - place for place, at in enumerate(before))]
