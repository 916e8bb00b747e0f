"""Rollouts simulated on the deployed guardrails: false rollbacks, and requests until a bad candidate is taken back.

Users fail with a rate of their own (beta, by intra-class correlation) and ask several times; a look judges all users
so far. Beside the deployed rule stands that of the first loop, kept here alone: three standard errors on requests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ab.guardrails import Guardrail
from ab.sequential.effects import Side
from ab.sequential.moments import Moments
from ab.sequential.rollout import breach, watched

STEPS = (0.01, 0.05, 0.25, 0.95)
"""At 100 % a twentieth of the users stays on the former version."""
LOOKS = 100
RAILS = 8
"""Guardrails among which the error is shared; the simulated one is the first of them."""
FIRST_Z, FIRST_INCREASE, FIRST_LEAST = 3.0, 0.02, 20
"""Of the rule of the first loop: standard errors, increase of failures allowed, requests on each side."""
KPI = "abnormal_termination"
ROWS = (
    Guardrail(kpi=KPI, max_increase=0.0),
    *(Guardrail(kpi=f"other {i}", max_increase=0.0) for i in range(RAILS - 1)),
)
UserSums = NDArray[np.float64]


class Users:
    """Failures of users who ask `asks` times each, with correlation `icc` between a user's own requests."""

    def __init__(self, rng: np.random.Generator, asks: int, icc: float) -> None:
        self._rng, self._asks, self._spread = rng, asks, 1 / icc - 1

    def sums(self, users: int, rate: float) -> UserSums:
        """(users, sum of failures, sum of their squares) of so many users."""
        own = self._rng.beta(rate * self._spread, (1 - rate) * self._spread, users)
        failed = self._rng.binomial(self._asks, own)
        return np.array([users, failed.sum(), (failed * failed).sum()], dtype=float)

    def side(self, counts: UserSums) -> Side:
        """As the deployed code holds them: each user a numerator and a denominator."""
        n, total, squares = int(counts[0]), float(counts[1]), float(counts[2])
        if not n:
            return Side()
        asks = self._asks
        products = ((squares, total * asks, 0), (total * asks, n * asks * asks, 0), (0, 0, 0))
        # A user shows the outcome with one failure or more; with few failures a user nearly each is one of its own.
        shown = min(n, round(total))
        return Side(Moments.from_sums(n, (total, n * asks, 0), products), shown, n, True)


def rollout(users: Users, rates: tuple[float, float], per_look: int, looks: int = LOOKS) -> Iterator[list[UserSums]]:
    """After each look the sums of every step so far, stable and candidate: (2, 3) a step."""
    steps: list[UserSums] = []
    for look in range(looks):
        step = look * len(STEPS) // looks
        if step == len(steps):
            steps.append(np.zeros((2, 3)))
        others = max(1, round(per_look * (1 - STEPS[step]) / STEPS[step]))
        steps[step][0] += users.sums(others, rates[0])
        steps[step][1] += users.sums(per_look, rates[1])
        yield steps


def deployed(users: Users, steps: list[UserSums]) -> bool:
    """Whether the deployed guardrails take the candidate back."""
    arms = [(users.side(step[0]), users.side(step[1])) for step in steps]
    return breach(watched(ROWS, {KPI: arms})) is not None


def first(asks: int, steps: list[UserSums]) -> bool:
    """Whether the rule of the first loop does: requests as if each were a user, all steps pooled."""
    old, new = np.sum(steps, axis=0)
    n0, n1 = old[0] * asks, new[0] * asks
    p0, p1 = old[1] / n0, new[1] / n1
    error = math.sqrt(p0 * (1 - p0) / max(1, n0 - 1) + p1 * (1 - p1) / max(1, n1 - 1))
    worse = p1 - p0
    return bool(min(n0, n1) >= FIRST_LEAST and worse > FIRST_INCREASE and worse > FIRST_Z * error)


def false_rollbacks(runs: int, seed: int) -> list[dict[str, Any]]:
    """A/A rollouts from 1 to 100 % that are taken back, by requests a user and their correlation."""
    rows = []
    for asks, icc in ((2, 0.05), (10, 0.1), (10, 0.3)):
        rng = np.random.default_rng([seed, asks, int(icc * 100)])
        users, taken = Users(rng, asks, icc), {"deployed": 0, "first": 0}
        for _ in track(range(runs), description=f"A/A rollouts, {asks} a user", transient=True):
            out = {"deployed": False, "first": False}
            for steps in rollout(users, (0.05, 0.05), per_look=10):
                out["deployed"] = out["deployed"] or deployed(users, steps)
                out["first"] = out["first"] or first(asks, steps)
            for rule, gone in out.items():
                taken[rule] += gone
        rows.append({"asks": asks, "icc": icc, **{rule: n / runs for rule, n in taken.items()}})
    return rows


def caught(runs: int, seed: int) -> list[dict[str, Any]]:
    """Requests of a worse candidate, at one in five, until it is taken back: by base rate and points lost."""
    rows, asks, per_look = [], 2, 5
    for base, points in ((0.05, 0.1), (0.05, 0.03), (0.01, 0.03), (0.1, 0.03), (0.3, 0.1)):
        rng = np.random.default_rng([seed, int(base * 100), int(points * 100)])
        users = Users(rng, asks, 0.05)
        ends = {"deployed": [math.inf] * runs, "first": [math.inf] * runs}
        for run in track(range(runs), description=f"{points:.0%} worse than {base:.0%}", transient=True):
            sums = np.zeros((2, 3))
            for look in range(1, 6_000 // (per_look * asks) + 1):
                sums[0] += users.sums(4 * per_look, base)
                sums[1] += users.sums(per_look, base + points)
                for rule, gone in (("deployed", deployed(users, [sums])), ("first", first(asks, [sums]))):
                    if gone:
                        ends[rule][run] = min(ends[rule][run], look * per_look * asks)
                if max(ends["deployed"][run], ends["first"][run]) < math.inf:
                    break
        rows += [
            {"rule": rule, "base": base, "worse": points, **{f"p{q}": _quantile(found, q) for q in (50, 95)}}
            for rule, found in ends.items()
        ]
    return rows


def _quantile(found: list[float], q: int) -> float | None:
    value = sorted(found)[min(len(found) - 1, math.ceil(q / 100 * len(found)) - 1)]
    return value if math.isfinite(value) else None
