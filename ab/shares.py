"""Two shares of different units, such as the right replies of two versions that answered different requests.

For pairs that both answered see `ab.matched`, which needs far fewer. scipy has Fisher's test, but the product carries
no scipy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


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
    """Upper bound (1 - alpha, one-sided) of the share lost, before less after.

    Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10: Wilson's bounds, added as errors are.
    """
    upper, lower = before.interval(alpha)[1], after.interval(alpha)[0]
    return min(1.0, before.value - after.value + math.hypot(upper - before.value, after.value - lower))


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
