"""Means and cross products of several figures of each unit, so that ratios and covariates can be judged; they add.

Centred cross products are combined (Chan, Golub and LeVeque, 1979), as in `ab.summary`, since sums of raw squares lose
digits where means are large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Of `n` units with k figures each: mean (k,) and the sum of centred cross products (k, k)."""

    n: int
    mean: Vector
    products: Vector

    @classmethod
    def none(cls, k: int) -> Moments:
        """Of no units."""
        return cls(0, np.zeros(k), np.zeros((k, k)))

    @classmethod
    def of(cls, figures: Sequence[Sequence[float]] | Vector) -> Moments:
        """Of units as rows, figures as columns: (n, k), n at least 1."""
        values = np.asarray(figures, dtype=np.float64)
        mean = values.mean(axis=0)
        apart = values - mean
        return cls(len(values), mean, apart.T @ apart)

    @classmethod
    def from_sums(cls, n: int, sums: Sequence[float], products: Sequence[Sequence[float]]) -> Moments:
        """From raw sums (k,) and raw sums of products (k, k) of `n` units, at least 1."""
        total = np.asarray(sums, dtype=np.float64)
        return cls(n, total / n, np.asarray(products, dtype=np.float64) - np.outer(total, total) / n)

    def __add__(self, other: Moments) -> Moments:
        """Of the units of both."""
        if not self.n or not other.n:
            return self if self.n else other
        n = self.n + other.n
        gap = other.mean - self.mean
        apart = np.outer(gap, gap) * (self.n * other.n / n)
        return Moments(n, self.mean + gap * (other.n / n), self.products + other.products + apart)

    @property
    def covariance(self) -> Vector:
        """(k, k), ddof 1; 0 below two units."""
        return self.products / (self.n - 1) if self.n > 1 else np.zeros_like(self.products)
