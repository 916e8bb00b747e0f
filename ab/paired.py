"""Paired differences: two figures of each of the same units, so that their differences are one sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from ab.summary import Stat


@dataclass(frozen=True, slots=True)
class Bound:
    """Means of `n` units before and after, their mean difference (after less before), and its lower bound."""

    n: int
    before: float
    after: float
    difference: float
    lower: float


def lower_bound(pairs: Sequence[tuple[float, float]], alpha: float) -> Bound | None:
    """The mean of after less before with its one-sided lower `1 - alpha` bound; None below two pairs.

    By the normal approximation (Student's t would make it 1 % wider at 100 pairs). NaN anywhere makes the bound NaN,
    which is above nothing.
    """
    if len(pairs) < 2:
        return None
    difference = Stat.of([after - before for before, after in pairs])
    return Bound(
        n=len(pairs),
        before=Stat.of([before for before, _ in pairs]).mean,
        after=Stat.of([after for _, after in pairs]).mean,
        difference=difference.mean,
        lower=difference.mean - NormalDist().inv_cdf(1 - alpha) * difference.error,
    )
