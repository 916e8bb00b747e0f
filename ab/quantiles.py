"""Quantiles from counts in logarithmic buckets: counts add, so the quantiles of any union can be had."""

from __future__ import annotations

import math
from collections.abc import Mapping

BUCKETS_PER_E = 12
"""Each bucket is about 8.7 % wide."""
SMALLEST = 1e-6
"""Values below it, such as seconds on a clock that went back, count as it."""


def bucket(value: float) -> int:
    """Number of the bucket that `value` falls into."""
    return math.floor(math.log(max(value, SMALLEST)) * BUCKETS_PER_E)


def quantile(counts: Mapping[int, int], q: float) -> float:
    """The value below which a share `q` of what `counts` holds by bucket lies; middle of its bucket, 0 for none."""
    need = q * sum(counts.values())
    seen = 0
    for index in sorted(counts):
        seen += counts[index]
        if seen >= need:
            return math.exp((index + 0.5) / BUCKETS_PER_E)
    return 0.0
