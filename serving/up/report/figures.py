"""Figures of the report from what was collected: pure sums, no network, no files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from deploy.routing.document import RoutingDocument
from serving.up.report.demands import TokenPart

MARGIN_BEFORE, MARGIN_AFTER = 0.5, 3.0
"""Seconds around a new epoch that count as the swap."""
TIE = 0.02
"""Nats: alternatives this close may change places with the size of the batch."""


Span = tuple[float, float]
"""Begin and end, seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ComparedReply:
    """Teacher and student on one prompt: token ids of both greedy replies, and which of the teacher's tokens
    the student would have chosen after the same prefix."""

    teacher: tuple[int, ...]
    student: tuple[int, ...]
    agreed: tuple[bool, ...]
    fact: bool
    parts: tuple[TokenPart, ...] = ()
    """What each of the teacher's tokens is; empty where its engine gave no texts of tokens."""


def agreement(pairs: Sequence[ComparedReply]) -> float:
    """Share of all teacher tokens that the student's argmax agrees with."""
    total = sum(len(pair.agreed) for pair in pairs)
    return sum(sum(pair.agreed) for pair in pairs) / total if total else 0.0


def by_part(before: Sequence[ComparedReply], after: Sequence[ComparedReply]) -> dict[TokenPart, dict[str, float]]:
    """Agreement before and after by what a token is, with the number of tokens of each sort that occurs."""
    found: dict[TokenPart, dict[str, float]] = {}
    for part in get_args(TokenPart):
        old, new = (
            [right for pair in pairs for right, sort in zip(pair.agreed, pair.parts, strict=False) if sort == part]
            for pairs in (before, after)
        )
        if old and new:
            shares = {"before": round(sum(old) / len(old), 4), "after": round(sum(new) / len(new), 4)}
            found[part] = {"n": len(new), **shares}
    return found


def prefix(pairs: Sequence[ComparedReply]) -> float:
    """Share of all teacher tokens before the two replies first differ."""
    total = sum(len(pair.teacher) for pair in pairs)
    return sum(common(pair.teacher, pair.student) for pair in pairs) / total if total else 0.0


def facts(pairs: Sequence[ComparedReply]) -> float:
    """Share of the student's replies whose facts are right."""
    return sum(pair.fact for pair in pairs) / len(pairs) if pairs else 0.0


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the common prefix."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def windows(documents: Iterable[RoutingDocument], since: float) -> list[Span]:
    """Times at which an epoch after `since` changed where the student's traffic goes or what a slot should hold."""
    found = []
    before: tuple[Any, ...] | None = None
    for document in sorted(documents, key=lambda d: d.epoch):
        wanted = {name: slot.desired for name, slot in document.slots.items()}
        now = (document.stable, document.candidate, document.candidate_share, wanted)
        if before is not None and now != before and document.created >= since:
            found.append((document.created - MARGIN_BEFORE, document.created + MARGIN_AFTER))
        before = now
    return found


def overlaps(row: dict[str, Any], spans: Sequence[Span]) -> bool:
    """Whether a request was under way in one of the spans."""
    return any(row["t"] <= end and row["end"] >= start for start, end in spans)


def gaps(rows: Sequence[dict[str, Any]], spans: Sequence[Span]) -> dict[str, float]:
    """The longest silence of a client around the swap and, as a yardstick, in ordinary stretches; seconds.

    A maximum grows with the time that is looked at. So `longest_gap_without` is not that of all the time without a
    swap: this is cut into stretches as long as the swap's windows together, and it is the median over the stretches
    of the longest gap in each. `pause` is what the swap adds, 0 at least.
    """
    within = [row["gap"] for row in rows if overlaps(row, spans)]
    apart = [row for row in rows if not overlaps(row, spans)]
    each = [[row["gap"] for row in apart if overlaps(row, [stretch])] for stretch in ordinary(apart, spans)]
    longest, without = max(within, default=0.0), median([max(seen) for seen in each if seen])
    return {
        "longest_gap": longest,
        "longest_gap_without": without,
        "pause": max(0.0, longest - without),
        "requests_within": len(within),
    }


def ordinary(rows: Sequence[dict[str, Any]], spans: Sequence[Span]) -> list[Span]:
    """The time of `rows` cut into stretches as long as all `spans` together, without those that touch one of these."""
    length = covered(spans)
    first, last = min((row["t"] for row in rows), default=0.0), max((row["end"] for row in rows), default=0.0)
    count = int((last - first) // length) if length else 0
    cut = [(first + i * length, first + (i + 1) * length) for i in range(count)]
    return [(start, end) for start, end in cut if not any(start <= past and end >= since for since, past in spans)]


def covered(spans: Iterable[Span]) -> float:
    """Seconds that lie in at least one of the spans."""
    total, until = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def from_one_version(reply: str, again: Sequence[dict[str, Any]]) -> bool:
    """Whether `reply` is what its version says when asked once more, near ties apart.

    `again`: the tokens of the second reply as the API gives them, with `bytes` and `top_logprobs`.
    """
    rest = reply.encode()
    for token in again:
        said = bytes(token["bytes"] or ())
        if rest.startswith(said):
            rest = rest[len(said) :]
            continue
        best = float(token["logprob"])
        others = [bytes(t["bytes"] or ()) for t in token["top_logprobs"] if best - float(t["logprob"]) <= TIE]
        return any(other and rest.startswith(other) for other in others if other != said)
    return not rest


def median(values: Sequence[float]) -> float:
    """The middle value, 0 without values."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0
