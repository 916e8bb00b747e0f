"""Harm guardrails of a canary: candidate against stable on live traffic, from summaries that add.

The two versions answer different requests, so differences are unpaired (Welch). A guardrail speaks only when
the difference is beyond its limit and clear of chance at `Z` standard errors; looking again and again at a
running canary inflates the error, hence the large `Z`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Z = 3.0
"""Standard errors."""
ABNORMAL, AGREEMENT, LATENCY = "abnormal_termination", "agreement", "latency"


@dataclass(frozen=True, slots=True)
class Stat:
    """Count, mean and variance (ddof 1) of one KPI of one version."""

    n: int = 0
    mean: float = 0.0
    var: float = 0.0

    @classmethod
    def of(cls, value: Mapping[str, Any] | None) -> Stat:
        """From {"n", "mean", "var"}; missing parts are 0."""
        given = value or {}
        return cls(int(given.get("n") or 0), float(given.get("mean") or 0.0), float(given.get("var") or 0.0))

    def minus(self, earlier: Stat) -> Stat:
        """What was observed since `earlier`, which must be a part of this one; else this one."""
        n = self.n - earlier.n
        if earlier.n <= 0 or n < 0:
            return self
        if n == 0:
            return Stat()
        mean = (self.n * self.mean - earlier.n * earlier.mean) / n
        squares = self._squares() - earlier._squares() - n * mean * mean
        return Stat(n, mean, max(0.0, squares) / (n - 1) if n > 1 else 0.0)

    def _squares(self) -> float:
        return self.var * max(0, self.n - 1) + self.n * self.mean * self.mean


Stats = Mapping[str, Stat]
"""By KPI."""


class Limits(Protocol):
    """The limits of a rollout."""

    min_samples: int
    max_abnormal_increase: float
    agreement_margin: float
    max_latency_ratio: float


def exposures(candidate: Stats) -> int:
    """Live replies of a version: every one is counted as ended well or abnormally."""
    return max((candidate[k].n for k in (ABNORMAL, LATENCY) if k in candidate), default=0)


def harm(candidate: Stats, stable: Stats, config: Limits) -> str | None:
    """What the candidate does worse than the stable version, in words; None when nothing is clear."""
    for kpi, sign, limit in (
        (ABNORMAL, 1.0, config.max_abnormal_increase),
        (AGREEMENT, -1.0, config.agreement_margin),
    ):
        new, old = candidate.get(kpi, Stat()), stable.get(kpi, Stat())
        worse = sign * (new.mean - old.mean)
        if _enough(new, old, config) and worse > limit and worse > Z * _error(new, old):
            return f"{kpi} {new.mean:.3f} against {old.mean:.3f} of the stable version (n {new.n} and {old.n})"
    new, old = candidate.get(LATENCY, Stat()), stable.get(LATENCY, Stat())
    slower = new.mean - config.max_latency_ratio * old.mean
    if _enough(new, old, config) and old.mean > 0 and slower > Z * _error(new, old):
        return (
            f"latency {new.mean:.3f} s, above {config.max_latency_ratio:g} times the stable version's {old.mean:.3f} s"
        )
    return None


def _enough(new: Stat, old: Stat, config: Limits) -> bool:
    return min(new.n, old.n) >= config.min_samples


def _error(new: Stat, old: Stat) -> float:
    return math.sqrt(new.var / max(1, new.n) + old.var / max(1, old.n))
