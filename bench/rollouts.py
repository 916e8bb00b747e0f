"""Rollouts simulated on the deployed guardrails: false rollbacks, and requests until a bad candidate is taken back.

Users fail with a rate of their own (beta, by intra-class correlation) and ask several times; a look judges all users
so far, by all guardrails. Beside the deployed rule stands that of the first loop, kept here alone: three standard
errors on requests, on abnormal ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ab.guardrails import Guardrail
from bench.looks import SUMS, by_step, harm_at
from bench.simulating import Floats
from deploy.life.config import DEFAULT_GUARDRAILS

STEPS = (0.01, 0.05, 0.25, 0.95)
"""At 100 % a twentieth of the users stays on the former version."""
HELD = (0.25, 0.25, 0.25, 0.25)
"""Steps that move nobody, so that what they find wrong by chance stays wrong."""
POOL = 2_000
"""Users of a rollout whose users are the same in every step."""
LOOKS, PER_LOOK = 100, 10
HEAVY, TIMES = 0.1, 9
"""A tenth of the users ask nine times as often, and so send half of all requests."""
LATE = 10.0
"""Looks that a KPI takes to come, on average."""
BURST, LENGTH = 0.3, 4
"""What fails in a burst, and how many looks one takes."""
FIRST_Z, FIRST_INCREASE, FIRST_LEAST = 3.0, 0.02, 20
"""Of the rule of the first loop: standard errors, increase of failures allowed, requests on each side."""
KPI, SLOW, EVEN, SENT = "abnormal_termination", "latency_p99", "similarity", "takeover"
RAILS = (*DEFAULT_GUARDRAILS, Guardrail(kpi=SENT, max_increase=0.0))


@dataclass(frozen=True, slots=True)
class Traffic:
    """Users who ask `asks` times with correlation `icc`, and what is not even about them."""

    asks: int
    icc: float
    base: float = 0.05
    heavy: bool = False
    bursts: bool = False
    days: bool = False
    late: bool = False
    returning: bool = False
    shares: tuple[float, ...] = STEPS

    @property
    def words(self) -> str:
        """What is not even."""
        told = {
            "heavy users": self.heavy, "bursts": self.bursts, "day cycles": self.days, "late KPIs": self.late,
            "the same users in every step": self.returning, "each step at 25 %": self.shares == HELD,
        }  # fmt: skip
        return ", ".join(name for name, true in told.items() if true) or "even"


def drawn(rng: np.random.Generator, traffic: Traffic, users: Floats, rates: Floats, kpi: str = KPI) -> Floats:
    """(looks, arms, sums) of `users` (looks, arms) who fail at `rates` (looks, arms)."""
    kinds = [(1 - HEAVY, traffic.asks), (HEAVY, TIMES * traffic.asks)] if traffic.heavy else [(1.0, traffic.asks)]
    left, found = users.astype(int), np.zeros((*users.shape, len(SUMS)))
    for number, (share, asks) in enumerate(kinds):
        last = number == len(kinds) - 1
        m = left if last else rng.binomial(left, share)
        left = left - m
        found += _even(rng, traffic, m, asks) if kpi == EVEN else _failing(rng, traffic, m, asks, rates, kpi == SENT)
    return found


def _failing(
    rng: np.random.Generator, traffic: Traffic, m: NDArray[np.int64], asks: int, rates: Floats, sent: bool
) -> Floats:
    """Users by how often they failed: a multinomial of the beta-binomial's probabilities is the same as one by one."""
    k, different = np.arange(asks + 1), np.unique(rates)
    chances = np.stack([_chances(asks, float(p), traffic.icc) for p in different])[np.searchsorted(different, rates)]
    counts = rng.multinomial(m, chances).astype(float)
    if sent and traffic.late:
        counts = _late(rng, counts)
    x, xx = counts @ k, counts @ (k * k)
    shown, missed = counts[..., 1:].sum(axis=-1), counts[..., :-1].sum(axis=-1)
    return np.stack([m, x, m * asks, xx, x * asks, m * asks * asks, shown, missed], axis=-1)


@cache
def _chances(asks: int, rate: float, icc: float) -> Floats:
    """Of 0 to `asks` failures of a user: the beta-binomial distribution."""
    a, b = rate * (1 / icc - 1), (1 - rate) * (1 / icc - 1)
    log = [
        math.lgamma(asks + 1) - math.lgamma(k + 1) - math.lgamma(asks - k + 1) + math.lgamma(k + a)
        + math.lgamma(asks - k + b) for k in range(asks + 1)
    ]  # fmt: skip
    found = np.exp(np.array(log) - max(log))
    return np.asarray(found / found.sum())


def _late(rng: np.random.Generator, counts: Floats) -> Floats:
    """Outcomes that come later, in the step of their reply: a user counts without until then."""
    seen = np.zeros_like(counts)
    seen[..., 0] = counts.sum(axis=-1)
    quarter = len(counts) // len(STEPS)
    for look, arm, k in zip(*np.nonzero(counts[..., 1:]), strict=True):
        waits = rng.geometric(1 / LATE, int(counts[look, arm, k + 1])) - 1
        end = (look // quarter + 1) * quarter
        arrive = look + waits
        arrive = arrive[arrive < end]
        np.add.at(seen, (arrive, arm, k + 1), 1.0)
        np.add.at(seen, (arrive, arm, 0), -1.0)
    return seen


def _even(rng: np.random.Generator, traffic: Traffic, m: NDArray[np.int64], asks: int) -> Floats:
    """Similarities: of each user a normal sum, whose mean and variance over users are drawn as such."""
    mean, spread = asks * 0.8, math.sqrt(asks * 0.03 * (1 + (asks - 1) * traffic.icc))
    x = m * mean + np.sqrt(m) * spread * rng.standard_normal(m.shape)
    apart = np.where(m > 1, spread**2 * rng.chisquare(np.maximum(m - 1, 1)), 0.0)
    xx = apart + np.divide(x * x, m, out=np.zeros_like(x), where=m > 0)
    return np.stack([m, x, m * asks, xx, x * asks, m * asks * asks, m, m], axis=-1)


def even_rollout(rng: np.random.Generator, traffic: Traffic) -> Mapping[str, Floats]:
    """A rollout of an equal candidate from 1 to 100 %: by KPI (steps, looks, arms, sums)."""
    steps = np.arange(LOOKS) * len(traffic.shares) // LOOKS
    if traffic.returning:
        return _stepwise(_returning(rng, traffic), steps)
    share = np.array(traffic.shares)[steps]
    day = 1 + 0.5 * np.sin(np.arange(LOOKS) * 2 * np.pi / 24 + rng.uniform(0, 2 * np.pi)) if traffic.days else 1.0
    users = np.stack([PER_LOOK * (1 - share) / share, np.full(LOOKS, float(PER_LOOK))], axis=1)
    users = np.maximum(1, rng.poisson(users * np.broadcast_to(day, LOOKS)[:, None])) if traffic.days else np.ceil(users)
    increments = {}
    for rail in RAILS:
        base = 0.005 if rail.kpi == SLOW else traffic.base
        rates = np.full(LOOKS, base) * np.where(np.broadcast_to(day, LOOKS) > 1, 1.5, 1.0)
        for begin in rng.integers(0, LOOKS, 3) if traffic.bursts else ():
            rates[begin : begin + LENGTH] = BURST
        increments[rail.kpi] = drawn(rng, traffic, users, np.stack([rates, rates], axis=1), rail.kpi)
    return _stepwise(increments, steps)


def _returning(rng: np.random.Generator, traffic: Traffic) -> dict[str, Floats]:
    """By KPI (looks, arms, sums) of users who ask once in every step, at some look, each with habits that stay."""
    asks, icc, number = traffic.asks, traffic.icc, len(traffic.shares)
    arms = rng.random(POOL) < np.array(traffic.shares)[:, None]
    looks = rng.integers(0, LOOKS // number, (number, POOL)) + np.arange(number)[:, None] * (LOOKS // number)
    at = (2 * looks + arms).ravel()

    def summed(values: Floats | None = None) -> Floats:
        weights = None if values is None else values.ravel()
        return np.bincount(at, weights, minlength=2 * LOOKS).reshape(LOOKS, 2).astype(float)

    n, found = summed(), {}
    for rail in RAILS:
        base = 0.005 if rail.kpi == SLOW else traffic.base
        if rail.kpi == EVEN:
            own, rest = rng.standard_normal(POOL), rng.standard_normal((number, POOL))
            k = asks * (0.8 + math.sqrt(0.03 * icc) * own) + math.sqrt(asks * 0.03 * (1 - icc)) * rest
            shown = missed = n
        else:
            habits = rng.beta(base * (1 / icc - 1), (1 - base) * (1 / icc - 1), POOL)
            k = rng.binomial(asks, habits, (number, POOL)).astype(float)
            shown, missed = summed((k > 0).astype(float)), summed((k < asks).astype(float))
        x = summed(k)
        found[rail.kpi] = np.stack([n, x, n * asks, summed(k * k), x * asks, n * asks * asks, shown, missed], axis=-1)
    return found


def _stepwise(increments: dict[str, Floats], steps: NDArray[np.int64]) -> Mapping[str, Floats]:
    turned = {kpi: _turned(found) if kpi in ("exact", "facts") else found for kpi, found in increments.items()}
    return {kpi: by_step(found, steps) for kpi, found in turned.items()}


def _turned(sums: Floats) -> Floats:
    """Of successes instead of failures."""
    n, x, y, xx, xy, yy, shown, missed = np.moveaxis(sums, -1, 0)
    return np.stack([n, y - x, y, yy - 2 * xy + xx, yy - xy, yy, missed, shown], axis=-1)


def first_at(sums: Floats) -> int | None:
    """The look at which the rule of the first loop says harm: requests as if each were a user, all steps pooled."""
    whole = sums.sum(axis=0)
    (x0, n0), (x1, n1) = ((whole[:, arm, 1], whole[:, arm, 2]) for arm in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        p0, p1 = x0 / n0, x1 / n1
    error = np.sqrt(p0 * (1 - p0) / np.maximum(1, n0 - 1) + p1 * (1 - p1) / np.maximum(1, n1 - 1))
    worse = p1 - p0
    harm = (np.minimum(n0, n1) >= FIRST_LEAST) & (worse > FIRST_INCREASE) & (worse > FIRST_Z * error)
    return int(harm.argmax()) if harm.any() else None


CASES = (
    *(Traffic(asks, icc) for asks, icc in ((2, 0.05), (10, 0.1), (10, 0.3))),
    *(Traffic(2, 0.05, base) for base in (0.01, 0.1, 0.3)),
    Traffic(2, 0.1, heavy=True), Traffic(2, 0.05, bursts=True), Traffic(2, 0.05, days=True),
    Traffic(2, 0.05, late=True),
    Traffic(2, 0.1, heavy=True, bursts=True, days=True, late=True),
    *(Traffic(asks, icc, returning=True) for asks, icc in ((2, 0.05), (10, 0.1), (10, 0.3))),
    Traffic(10, 0.3, returning=True, shares=HELD),
)  # fmt: skip


def false_rollbacks(runs: int, seed: int) -> list[dict[str, Any]]:
    """A/A rollouts from 1 to 100 % that any guardrail takes back, by traffic.

    `fresh`: where users come back, those that the same guardrails take back when they believe each step's users new.
    """
    rows = []
    for number, traffic in enumerate(CASES):
        rng, taken = np.random.default_rng([seed, number]), {"deployed": 0, "first": 0}
        for _ in track(range(runs), description=f"A/A rollouts, {traffic.words}", transient=True):
            sums = even_rollout(rng, traffic)
            taken["deployed"] += harm_at(RAILS, sums) is not None
            taken["first"] += first_at(sums[KPI]) is not None
            if traffic.returning:
                taken["fresh"] = taken.get("fresh", 0) + (harm_at(RAILS, sums, fresh=True) is not None)
        told = {"asks": traffic.asks, "icc": traffic.icc, "base": traffic.base, "traffic": traffic.words}
        rows.append({"runs": runs, **told, **{rule: n / runs for rule, n in taken.items()}})
    return rows


def caught(runs: int, seed: int) -> list[dict[str, Any]]:
    """Requests of a worse candidate, at one in five, until it is taken back: by base rate and points lost."""
    rows, traffic, per_look, most = [], Traffic(2, 0.05), 5, 8_000
    looks = most // (per_look * traffic.asks)
    users = np.stack([np.full(looks, 4.0 * per_look), np.full(looks, float(per_look))], axis=1)
    cases = [(base, points) for base in (0.05, 0.01, 0.1, 0.3) for points in (0.1, 0.03)]
    for base, points in cases:
        rng = np.random.default_rng([seed, int(base * 100), int(points * 100)])
        rates = np.stack([np.full(looks, base), np.full(looks, base + points)], axis=1)
        ends: dict[str, list[float]] = {"deployed": [], "first": []}
        for _ in track(range(runs), description=f"{points:.0%} worse than {base:.0%}", transient=True):
            sums = by_step(drawn(rng, traffic, users, rates), np.zeros(looks, dtype=np.int64))
            for rule, look in (("deployed", harm_at(RAILS, {KPI: sums})), ("first", first_at(sums))):
                ends[rule].append(math.inf if look is None else (look + 1) * per_look * traffic.asks)
        rows += [
            {"rule": rule, "base": base, "worse": points, **{f"p{q}": quantile(found, q) for q in (50, 95)}}
            for rule, found in ends.items()
        ]
    return rows


def page(report: Mapping[str, Any], table: Callable[[list[tuple[str, ...]], tuple[str, ...]], str]) -> list[str]:
    """What the page of benchmarks says of rollouts."""
    return [
        "A canary's guardrails, all of them together, beside the rule of the first loop (three standard errors on "
        "requests, on abnormal ends alone). A/A rollouts of four steps from 1 to 100 %, 100 looks, that are taken back "
        "by chance:",
        table([(f"{row['runs']:,}", str(row["asks"]), f"{row['icc']:g}", f"{row['base']:.0%}", row["traffic"],
                *("" if row.get(rule) is None else f"{row[rule]:.3f}" for rule in ("deployed", "fresh", "first")))
               for row in report["false_rollbacks"]],
              ("rollouts", "requests a user", "correlation of a user's requests", "failures", "traffic", "deployed",
               "deployed, if it took all users for new", "first loop")),
        "Heavy users are a tenth that sends half. Bursts are three spans of four looks in which 30 % fail, or are "
        "slow, on both sides. In a day's cycle the number of users rises and falls by half, and in the busy half they "
        "fail half as often again. Late KPIs come ten looks after their reply on average, in the same step. Where the "
        f"users are the same in every step, {POOL:,} of them ask in each, at rates of their own that stay.",
        "Requests of a worse candidate until it is taken back, four stable ones beside each, two a user:",
        table([(f"{row['base']:.0%}", f"{100 * row['worse']:.0f} points", row["rule"],
                *(told(row[q]) for q in ("p50", "p95"))) for row in report["caught"]],
              ("failures of the stable version", "worse by", "rule", "median", "95 %")),
    ]  # fmt: skip


def told(value: float | None) -> str:
    """A number of prompts or requests; None: it never happened."""
    return "never" if value is None else f"{value:,.0f}"


def quantile(found: list[float], q: int) -> float | None:
    """The `q`th per cent of `found`; None where that is infinite."""
    value = sorted(found)[min(len(found) - 1, math.ceil(q / 100 * len(found)) - 1)]
    return value if math.isfinite(value) else None
