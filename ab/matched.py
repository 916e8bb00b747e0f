"""Matched pairs of yes and no: what was lost and won between two answers to the same prompts.

`lost` counts the pairs that the first got right and the second wrong, `won` the others that differ. Pairs on
which both agree carry information only through their number. statsmodels has the exact test, but its score
interval for a difference with a margin is wrong (its issue 10269), and the product carries no scipy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

HALVINGS = 60
"""Bisections of [-1, 1]; far below float64's resolution of a share."""


@dataclass(frozen=True, slots=True)
class Matched:
    """`n` pairs, of which `lost` were right before alone and `won` after alone; those of two halves add."""

    n: int = 0
    lost: int = 0
    won: int = 0

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> Matched:
        """From pairs of right before, right after."""
        found = list(pairs)
        return cls(len(found), sum(b and not a for b, a in found), sum(a and not b for b, a in found))

    def __add__(self, other: Matched) -> Matched:
        """Of the pairs of both."""
        return Matched(self.n + other.n, self.lost + other.lost, self.won + other.won)

    @property
    def harm(self) -> float:
        """See `harm`."""
        return harm(self.lost, self.won)

    def bound(self, alpha: float) -> float:
        """See `loss_bound`."""
        return loss_bound(self.lost, self.won, self.n, alpha)

    def needed(self, margin: float, alpha: float) -> int:
        """See `pairs_needed`, for pairs that differ as often as these."""
        return pairs_needed((self.lost + self.won) / max(1, self.n), margin, alpha)


def harm(lost: int, won: int) -> float:
    """One-sided exact p-value (McNemar 1947) that so many of the pairs that differ were lost by chance.

    A sum of binomial probabilities with one half each; 1.0 when nothing differs.
    """
    differing = lost + won
    above = sum(math.comb(differing, k) for k in range(lost, differing + 1))
    return float(above / 2**differing)


def loss_bound(lost: int, won: int, n: int, alpha: float = 0.05) -> float:
    """Upper bound (1 - alpha, one-sided) of the net share lost, (lost - won) / n, by Tango's score method.

    Tango, Statistics in Medicine 17 (1998) 891-908: the largest difference d with T(d) >= -z, where the
    nuisance share is estimated under d. It keeps its level where few pairs differ, as here, and needs no
    pair that differs at all.

    Raises:
        ValueError: counts that cannot be.
    """
    if n < 1 or min(lost, won) < 0 or lost + won > n:
        raise ValueError(f"{lost} lost and {won} won of {n} pairs cannot be")
    z = NormalDist().inv_cdf(1 - alpha)
    low, high = (lost - won) / n, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _score(lost, won, n, middle) >= -z:
            low = middle
        else:
            high = middle
    return high


def pairs_needed(churn: float, margin: float, alpha: float = 0.05, power: float = 0.9) -> int:
    """Pairs with which `loss_bound` lies below `margin` for a share `power` of equal seconds.

    `churn` is the share of pairs that differ either way, by chance. By the normal approximation; never fewer than
    where the bound of pairs that all agree reaches the margin.
    """
    normal = NormalDist()
    z = normal.inv_cdf(1 - alpha)
    least = z * z * (1 - margin) / margin
    return math.ceil(max(least, churn * ((z + normal.inv_cdf(power)) / margin) ** 2))


def _score(lost: int, won: int, n: int, d: float) -> float:
    """Tango's T(d): standardised distance of the observed difference from `d`."""
    a = 2.0 * n
    b = -lost - won + (2 * n - lost + won) * d
    c = -won * d * (1 - d)
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * share + d * (1 - d))
    distance = lost - won - n * d
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def holm(p_values: Mapping[str, float], alpha: float = 0.05) -> tuple[str, ...]:
    """Names whose hypothesis falls under Holm's step-down procedure (1979), smallest p-value first."""
    rejected: list[str] = []
    for name, p in sorted(p_values.items(), key=lambda item: item[1]):
        if p > alpha / (len(p_values) - len(rejected)):
            break
        rejected.append(name)
    return tuple(rejected)
