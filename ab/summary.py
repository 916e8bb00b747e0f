"""Summaries that add: the summary of two halves is the sum of their summaries.

Sums and differences combine means and squared deviations (Chan, Golub and LeVeque, 1979, "Updating formulae and
a pairwise algorithm for computing sample variances"); sums of raw squares would lose digits where the mean is large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any


@dataclass(frozen=True, slots=True)
class Stat:
    """Count, mean and variance (ddof 1; 0 below two values) of one figure."""

    n: int = 0
    mean: float = 0.0
    var: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float]) -> Stat:
        """Of the values themselves; NaN in any makes mean and variance NaN."""
        if not values:
            return cls()
        mean = fmean(values)
        return cls._from_deviations(len(values), mean, sum((value - mean) ** 2 for value in values))

    @classmethod
    def from_sums(cls, n: int, total: float, squares: float) -> Stat:
        """Of `n` values by their sum and the sum of their squares."""
        return cls._from_deviations(n, total / n, squares - total * total / n) if n > 0 else cls()

    @classmethod
    def read(cls, value: Mapping[str, Any] | None) -> Stat:
        """From {"n", "mean", "var"}; missing parts are 0."""
        given = value or {}
        return cls(int(given.get("n") or 0), float(given.get("mean") or 0.0), float(given.get("var") or 0.0))

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return math.sqrt(self.var / max(1, self.n))

    def __add__(self, other: Stat) -> Stat:
        """Of the values of both."""
        n = self.n + other.n
        if not self.n or not other.n:
            return self if self.n else other
        gap = other.mean - self.mean
        apart = gap * gap * self.n * other.n / n
        return self._from_deviations(n, self.mean + gap * other.n / n, self._deviations + other._deviations + apart)

    def __sub__(self, part: Stat) -> Stat:
        """Of the values that are not in `part`.

        Raises:
            ValueError: `part` has more values than there are.
        """
        n = self.n - part.n
        if n < 0:
            raise ValueError(f"{part.n} values are no part of {self.n}")
        if not n or not part.n:
            return self if n else Stat()
        mean = self.mean + (self.mean - part.mean) * part.n / n
        apart = (mean - part.mean) ** 2 * part.n * n / self.n
        return self._from_deviations(n, mean, self._deviations - part._deviations - apart)

    def since(self, earlier: Stat) -> Stat:
        """What came after `earlier`; all of it where counting began anew since then."""
        return self - earlier if earlier.n <= self.n else self

    @classmethod
    def _from_deviations(cls, n: int, mean: float, squared: float) -> Stat:
        # Not max(0.0, squared): that would turn NaN into 0.
        return cls(n, mean, 0.0 if n < 2 or squared < 0 else squared / (n - 1))

    @property
    def _deviations(self) -> float:
        return self.var * max(0, self.n - 1)
