"""Asymptotic confidence sequences: intervals that hold at every look together, however often one looks.

Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
sequences", arXiv 2103.06476: theorem 2.2 (two-sided), appendix B.1 (one-sided). `rho` is tuned so that the interval is
narrowest at the planned number of units (their appendix B.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

Sides = Literal[1, 2]


@dataclass(frozen=True, slots=True)
class Interval:
    """What an effect may be; `p` is that of the null hypothesis that was asked about."""

    lower: float
    upper: float
    p: float


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """A confidence sequence at level 1 - `alpha`, tuned to `planned` units over all arms.

    One-sided: each end is by itself a bound at level 1 - `alpha`.

    Raises:
        ValueError: `planned` below 1, or an `alpha` that cannot be tuned to (two-sided below 1, one-sided below 1/2).
    """

    alpha: float
    planned: int
    sides: Sides = 2

    def __post_init__(self) -> None:
        if not 0 < self.alpha < (1.0 if self.sides == 2 else 0.5) or self.planned < 1:
            raise ValueError(f"no sequence for alpha {self.alpha:g} and {self.planned} planned units")

    @property
    def rho2(self) -> float:
        """The square of rho."""
        log = math.log(self.alpha if self.sides == 2 else 2 * self.alpha)
        return (-2 * log + math.log(1 - 2 * log)) / self.planned

    def half_width(self, error: float, n: int) -> float:
        """Of an effect with standard error `error` on `n` units of all arms; infinite without units."""
        return error * self.multiple(n)

    def multiple(self, n: int) -> float:
        """Standard errors on each side after `n` units; a fixed horizon's would be 1.96 at alpha 0.05."""
        if n < 1:
            return math.inf
        x = n * self.rho2
        root = math.sqrt(x + 1) / self.alpha
        inside = math.log(root) if self.sides == 2 else math.log1p(root / 2)
        return math.sqrt(2 * (x + 1) / x * inside)

    def p_value(self, distance: float, error: float, n: int) -> float:
        """Smallest alpha at which this look's interval leaves the null out, with rho as it is; in [0, 1].

        `distance` is effect less null; one-sided: against nulls that lie below the effect. The running minimum over
        looks is valid too.
        """
        if n < 1 or not error > 0 or not math.isfinite(distance) or (self.sides == 1 and distance <= 0):
            return 1.0
        x = n * self.rho2
        exponent = (distance / error) ** 2 * x / (2 * (x + 1))
        if exponent > 700:
            return 0.0
        root = math.sqrt(x + 1)
        p = root * math.exp(-exponent) if self.sides == 2 else root / (2 * math.expm1(exponent))
        return min(1.0, p)

    def around(self, effect: float, error: float, n: int, null: float = 0.0, sign: float = 1.0) -> Interval:
        """The interval of an effect; `sign` -1 asks, one-sided, whether the effect lies below `null`."""
        half = self.half_width(error, n) if error > 0 else math.inf
        return Interval(effect - half, effect + half, self.p_value(sign * (effect - null), error, n))


def fixed(
    effect: float, error: float, alpha: float, sides: Sides = 2, null: float = 0.0, sign: float = 1.0
) -> Interval:
    """What one look at a horizon fixed beforehand says, by the normal approximation; wrong when looked at twice."""
    normal = NormalDist()
    if not error > 0 or not math.isfinite(effect):
        return Interval(-math.inf, math.inf, 1.0)
    half = normal.inv_cdf(1 - alpha / sides) * error
    z = (effect - null) / error
    tail = 2 * normal.cdf(-abs(z)) if sides == 2 else normal.cdf(-sign * z)
    return Interval(effect - half, effect + half, tail)
