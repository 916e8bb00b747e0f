"""Two shares of different units, such as the right replies of two versions that answered different requests.

For pairs that both answered see `ab.matched`, which needs far fewer. scipy has Fisher's test, but the product carries
no scipy; statsmodels' score interval for a difference is wrong (its issue 10269).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

HALVINGS = 60
"""Bisections of [-1, 1]; far below float64's resolution of a share."""


@dataclass(frozen=True, slots=True)
class Share:
    """`right` of `n`."""

    right: int
    n: int

    @property
    def value(self) -> float:
        """0 of none."""
        return self.right / self.n if self.n else 0.0

    def interval(self, alpha: float) -> tuple[float, float]:
        """Wilson's (1927), each end a one-sided 1 - alpha bound."""
        if not self.n:
            return 0.0, 1.0
        z = NormalDist().inv_cdf(1 - alpha)
        middle = (self.right + z * z / 2) / (self.n + z * z)
        half = z * math.sqrt(self.n * self.value * (1 - self.value) + z * z / 4) / (self.n + z * z)
        return max(0.0, middle - half), min(1.0, middle + half)


def worse(before: Share, after: Share) -> float:
    """Fisher's exact one-sided p-value that `after` has so few right, or fewer, by chance; 1 without any of either."""
    right, n = before.right + after.right, before.n + after.n
    if not before.n or not after.n:
        return 1.0
    low = max(0, right - before.n)
    whole = _choices(n, right)
    return min(1.0, sum(
        math.exp(_choices(after.n, k) + _choices(before.n, right - k) - whole) for k in range(low, after.right + 1)
    ))  # fmt: skip


def loss_bound(before: Share, after: Share, alpha: float = 0.05) -> float:
    """Upper bound (1 - alpha, one-sided) of the share lost, before less after; 1 where there are none of either.

    Miettinen and Nurminen, Statistics in Medicine 4 (1985) 213-226: the largest difference d whose score statistic
    reaches -z, the two shares being estimated under d.
    """
    if not before.n or not after.n:
        return 1.0
    z = NormalDist().inv_cdf(1 - alpha)
    low, high = before.value - after.value, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _score(before, after, middle) >= -z:
            low = middle
        else:
            high = middle
    return high


def _score(before: Share, after: Share, d: float) -> float:
    """How many standard errors the difference seen lies above `d`, the errors being those under `d`."""
    p = _likeliest(before, after, d)
    q = min(1.0, max(0.0, p - d))
    n = before.n + after.n
    variance = (p * (1 - p) / before.n + q * (1 - q) / after.n) * n / max(1, n - 1)
    distance = before.value - after.value - d
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _likeliest(before: Share, after: Share, d: float) -> float:
    """The share before that is likeliest when the share after is less by `d`: the root of a cubic that is a share.

    Farrington and Manning, Statistics in Medicine 9 (1990) 1447-1454, appendix, have it in closed form.
    """
    ratio, was, now = after.n / before.n, before.value, after.value
    a = 1 + ratio
    b = -(1 + ratio + was + ratio * now + d * (ratio + 2))
    c = d * d + d * (2 * was + ratio + 1) + was + ratio * now
    e = -was * d * (1 + d)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + e / (2 * a)
    u = math.copysign(math.sqrt(max(0.0, (b / (3 * a)) ** 2 - c / (3 * a))), v)
    angle = math.acos(min(1.0, max(-1.0, v / u**3))) if u else 0.0
    return min(1.0, max(0.0, 2 * u * math.cos((math.pi + angle) / 3) - b / (3 * a)))


def units_needed(before: Share, after: Share, margin: float, alpha: float = 0.05, power: float = 0.9) -> int:
    """Units of each with which `loss_bound` of equals lies below `margin` for a share `power`, by these shares."""
    normal = NormalDist()
    z = normal.inv_cdf(1 - alpha) + normal.inv_cdf(power)
    both = Share(before.right + after.right, before.n + after.n).value
    least = normal.inv_cdf(1 - alpha) ** 2 / margin
    return math.ceil(max(least, 2 * both * (1 - both) * (z / margin) ** 2))


def _choices(n: int, k: int) -> float:
    """Logarithm of the binomial coefficient."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
