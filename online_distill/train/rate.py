"""The learning rate as a factor of its peak: pure."""

from __future__ import annotations

import math

FLOOR = 0.05
"""Of the learning rate, at the end of the schedule."""


def rate(step: int, share: float, warmup: int) -> float:
    """Linear in the first `warmup` steps, times a cosine of the `share` of the time used, down to `FLOOR`.

    Since `share` never falls, neither does the factor rise again once the warm-up is over.
    """
    risen = min(1.0, (step + 1) / (warmup + 1))
    return risen * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))
