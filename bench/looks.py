"""Every look at a simulated rollout at once: the guardrails of `ab.sequential.rollout` on arrays of sums.

Thousands of rollouts with a hundred looks each take minutes so, and hours by objects. At the look that takes a
candidate back, and at the last one, the same sums go through the deployed guardrails, which have to agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ab.guardrails import Guardrail
from ab.sequential.bounds import ConfidenceSequence
from ab.sequential.effects import OUTCOMES, UNITS, Side, raw_moments
from ab.sequential.rollout import ALPHA, PLANNED, TAIL, breach, watched
from bench.simulating import Floats

SUMS = ("n", "x", "y", "xx", "xy", "yy", "shown", "missed")
"""Of users: how many, sums and products of numerator and denominator, users with and without the outcome."""


def by_step(increments: Floats, steps: NDArray[np.int64]) -> Floats:
    """(looks, arms, sums) of the users of each look into (steps, looks, arms, sums) of all users so far."""
    return np.stack([
        np.cumsum(np.where((steps == step)[:, None, None], increments, 0.0), axis=0) for step in range(steps.max() + 1)
    ])  # fmt: skip


def harm_at(rails: Sequence[Guardrail], sums: Mapping[str, Floats], *, fresh: bool = False) -> int | None:
    """The first look at which any guardrail says harm; None: none does.

    `sums`: by KPI (steps, looks, arms, sums). `fresh`: as if every step had users of its own, which is not deployed.

    Raises:
        AssertionError: the deployed guardrails say otherwise there, or at the last look.
    """
    counted = [rail for rail in rails if rail.kpi in sums]
    found = np.logical_or.reduce([_harm(rail, sums[rail.kpi], ALPHA / len(rails), fresh) for rail in counted])
    first = int(found.argmax()) if found.any() else None
    if fresh:
        return first
    for look in {len(found) - 1, first if first is not None else len(found) - 1}:
        arms = {kpi: [(side(kpi, step[look, 0]), side(kpi, step[look, 1])) for step in of] for kpi, of in sums.items()}
        assert (breach(watched(rails, arms)) is not None) == bool(found[look]), look
    return first


def side(kpi: str, sums: Floats) -> Side:
    """As the deployed code holds it."""
    n, x, y, xx, xy, yy, shown, missed = sums
    if n < 1:
        return Side()
    return Side(raw_moments(int(n), (x, y), (xx, xy, yy)), int(shown), int(missed), _binary(kpi))


def _binary(kpi: str) -> bool:
    return kpi != "similarity"


def _harm(rail: Guardrail, sums: Floats, alpha: float, fresh: bool) -> NDArray[np.bool_]:
    """By look."""
    old, new = (_ArmFigures(rail.kpi, sums[:, :, arm]) for arm in (0, 1))
    sign = -1.0 if rail.max_decrease is not None else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where((old.n > 1) & (new.n > 1), old.n * new.n / (old.n + new.n), 0.0)
        error = np.sqrt(old.variance / old.n + new.variance / new.n)
        cautious = np.sqrt(old.cautious / old.n + new.cautious / new.n)
        worse, enough = sign * (new.ratio - old.ratio), old.enough & new.enough
        alike = _alike(old.n + new.n, fresh)
        apart = _beyond(worse, error, cautious, enough, weight, alike, alpha, rail.edge)
        if rail.max_ratio is None:
            return apart
        weight = np.where(new.n > 1, new.n, 0.0)
        errors = np.sqrt(new.variance / new.n), np.sqrt(new.cautious / new.n)
        return apart & _beyond(new.ratio - TAIL, *errors, new.enough, weight, _alike(new.n, fresh), alpha, 0.0)


def _alike(n: Floats, fresh: bool) -> Floats | None:
    """How much the errors of two steps correlate at most, (steps, steps, looks), by their users (steps, looks).

    None where they are not asked about, or there is one step alone.
    """
    return None if fresh or len(n) == 1 else np.sqrt(np.minimum(n[:, None], n) / np.maximum(n[:, None], n))


class _ArmFigures:
    """Figures of one arm, each (steps, looks)."""

    def __init__(self, kpi: str, sums: Floats) -> None:
        self.n, x, y, xx, xy, yy, shown, missed = np.moveaxis(sums, -1, 0)
        n = np.maximum(self.n, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.ratio = x / y
            spread = xx - x * x / n - 2 * self.ratio * (xy - x * y / n) + self.ratio**2 * (yy - y * y / n)
            self.variance = np.maximum(0.0, spread / (n - 1) / (y / n) ** 2)
            if _binary(kpi):
                share = (shown + 1) / (self.n + 2)
                self.enough = np.minimum(shown, missed) >= OUTCOMES
                self.cautious = np.maximum(self.variance, share * (1 - share))
            else:
                self.enough = self.n >= UNITS
                self.cautious = np.where(self.n >= OUTCOMES, self.variance, np.inf)


def _beyond(
    worse: Floats, error: Floats, cautious: Floats, enough: NDArray[np.bool_], weight: Floats, alike: Floats | None,
    alpha: float, edge: float,
) -> NDArray[np.bool_]:  # fmt: skip
    """Looks at which steps together lie beyond the edge; `alike` is that of `_alike`, other arrays (steps, looks)."""
    known = np.isfinite(cautious) & (weight > 0)
    weight = np.where(known | ~known.any(axis=0), weight, 0.0)
    total = weight.sum(axis=0)
    used = weight > 0
    share = weight / total

    def together(values: Floats) -> Floats:
        mine = np.where(used, share * values, 0.0)
        variance = np.sum(mine**2, axis=0)
        if alike is not None:
            for later in range(1, len(mine)):
                both = np.where(used[:later] & used[later], alike[later, :later], 0.0)
                variance += 2 * mine[later] * np.sum(both * mine[:later], axis=0)
        return np.asarray(np.sqrt(variance))

    value, wide = np.sum(np.where(used, share * worse, 0.0), axis=0), together(cautious)
    narrow = together(error)
    narrow = np.where(narrow > 0, narrow, wide)
    believed = np.where((enough & used).any(axis=0), narrow, np.maximum(narrow, wide))
    x = np.floor(4 * total) * ConfidenceSequence(alpha, PLANNED, 1).rho2
    multiple = np.sqrt(2 * (x + 1) / x * np.log1p(np.sqrt(x + 1) / alpha / 2))
    return np.asarray((total > 0) & (x > 0) & (narrow > 0) & (value - multiple * believed > edge))
