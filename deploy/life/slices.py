"""Each slice of an evaluation before and after, with intervals: for whoever reads about a round. Pure.

The gate decides by its own one-sided bounds; these are two-sided, of each figure by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, get_args

from ab.matched import loss_bound
from ab.shares import Share
from ab.summary import Stat
from deploy.life.evaluation import Evaluation, JudgedReply, JudgedRow, Slice, exact, facts, matched

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class WithInterval:
    """A figure with the ends of its 95 % interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of the parent, of the candidate, and their difference; in how many replies it was lost and won."""

    before: WithInterval
    after: WithInterval
    difference: WithInterval
    lost: int
    won: int


@dataclass(frozen=True, slots=True)
class SliceChange:
    """What became of one slice, on `n` rows."""

    n: int
    exact: Change
    facts: Change
    agreement: Change


def slice_changes(evaluation: Evaluation) -> dict[Slice, SliceChange]:
    """Of each slice that has rows."""
    found = {name: evaluation.of(name) for name in get_args(Slice)}
    return {
        name: SliceChange(len(rows), _shares(rows, exact), _shares(rows, facts), _means(rows))
        for name, rows in found.items()
        if rows
    }


def _shares(rows: Sequence[JudgedRow], right: Callable[[JudgedReply], bool]) -> Change:
    """Shares by Wilson's interval, their paired difference by Tango's (see `ab.matched`)."""
    alpha, pairs = (1 - CONFIDENCE) / 2, matched(rows, right)
    sides = (Share(sum(right(reply) for reply in side), len(rows)) for side in _sides(rows))
    before, after = (WithInterval(share.value, *share.interval(alpha)) for share in sides)
    lower = -loss_bound(pairs.lost, pairs.won, pairs.n, alpha)
    upper = loss_bound(pairs.won, pairs.lost, pairs.n, alpha)
    difference = WithInterval((pairs.won - pairs.lost) / pairs.n, lower, upper)
    return Change(before, after, difference, pairs.lost, pairs.won)


def _means(rows: Sequence[JudgedRow]) -> Change:
    """Mean agreement, by the normal approximation."""
    before, after = ([reply.agreement for reply in side] for side in _sides(rows))
    gains = [new - old for old, new in zip(before, after, strict=True)]
    lost, won = sum(gain < 0 for gain in gains), sum(gain > 0 for gain in gains)
    return Change(_mean(before, 0.0), _mean(after, 0.0), _mean(gains, -1.0), lost, won)


def _mean(values: Sequence[float], least: float) -> WithInterval:
    stat = Stat.of(values)
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * stat.error
    return WithInterval(stat.mean, max(least, stat.mean - half), min(1.0, stat.mean + half))


def _sides(rows: Sequence[JudgedRow]) -> tuple[list[JudgedReply], list[JudgedReply]]:
    return [row.parent for row in rows], [row.candidate for row in rows]
