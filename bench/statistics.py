"""`understudy bench statistics`: how often results that are looked at all the time err, simulated on the deployed code.

Each run draws an experiment unit by unit and looks at it 10,000 times. The interval is that of `ab.sequential`; at the
look that concludes, and at the last one, the same counts go through the deployed verdict, which has to agree. Beside it
stands the test that a fixed horizon would use, looked at as often.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ab.experiment import Primary
from ab.sequential.bounds import ConfidenceSequence, Sides, fixed
from ab.sequential.effects import OUTCOMES, Side, effect
from ab.sequential.judging import judge
from ab.sequential.planning import plan
from ab.sequential.sample_ratio import ALARM, p_sequential
from bench.covering import coverage, ramps
from bench.rollouts import caught, false_rollbacks
from bench.shadow import paired
from bench.simulating import Floats, simulate

LOOKS = 10_000
EVERY = 4
"""Units between two looks."""
ALPHA = 0.05
ASKED = Primary(kpi="k", test="two_sided")


class Simulated:
    """One experiment's yes-or-no outcomes, looked at `LOOKS` times."""

    def __init__(self, rng: np.random.Generator, share: float, rates: tuple[float, float]) -> None:
        units = LOOKS * EVERY
        treated = rng.random(units) < share
        right = rng.random(units) < np.where(treated, rates[1], rates[0])
        last = slice(EVERY - 1, None, EVERY)
        self.n1, self.k1 = treated.cumsum()[last], (right & treated).cumsum()[last]
        self.n0, self.k0 = (~treated).cumsum()[last], (right & ~treated).cumsum()[last]
        with np.errstate(divide="ignore", invalid="ignore"):
            p0, p1 = self.k0 / self.n0, self.k1 / self.n1
            self.effect = p1 - p0
            self.error = np.sqrt(p0 * (1 - p0) / (self.n0 - 1) + p1 * (1 - p1) / (self.n1 - 1))
            least = [
                np.maximum(p * (1 - p) / (n - 1), (k + 1) * (n - k + 1) / (n + 2) ** 2 / n)
                for n, k, p in ((self.n0, self.k0, p0), (self.n1, self.k1, p1))
            ]
            self.cautious = np.sqrt(least[0] + least[1])
        outcomes = np.minimum.reduce([self.k0, self.n0 - self.k0, self.k1, self.n1 - self.k1])
        self.enough = outcomes >= OUTCOMES

    def outside(self, bounds: Floats | float, truth: float) -> NDArray[np.bool_]:
        """Looks at which an interval of so many errors leaves `truth` out: in favour only on enough units."""
        with np.errstate(invalid="ignore"):
            half = bounds * np.where(self.enough, self.error, self.cautious)
            low, high = self.effect - half, self.effect + half
            found: NDArray[np.bool_] = (self.error > 0) & (((low > truth) & self.enough) | (high < truth))
        return found

    def sides(self, look: int) -> tuple[Side, Side]:
        """The two arms as the deployed code counts them."""
        pairs = ((self.n0, self.k0), (self.n1, self.k1))
        old, new = (Side.counted(int(n[look]), int(k[look])) for n, k in pairs)
        return old, new


def bounds(sides: Sides = 2, planned: int = LOOKS * EVERY) -> Floats:
    """Errors on each side at every look."""
    sequence = ConfidenceSequence(ALPHA, planned, sides)
    return np.array([sequence.multiple(n) for n in range(EVERY, LOOKS * EVERY + 1, EVERY)])


def peeking(runs: int, seed: int) -> list[dict[str, Any]]:
    """A/A and A/B experiments: how often any look leaves the true effect out."""
    rows = []
    always, once = bounds(), fixed(0.0, 1.0, ALPHA).upper
    cases = [(rate, share, 0.0) for rate in (0.01, 0.1, 0.5) for share in (0.5, 0.05)] + [(0.85, 0.5, 0.02)]
    for rate, share, lift in cases:
        rng = np.random.default_rng([seed, int(rate * 1000), int(share * 100)])
        wrong = naive = 0
        for _ in track(range(runs), description=f"base {rate:g}, shares {1 - share:g}/{share:g}", transient=True):
            drawn = Simulated(rng, share, (rate, rate + lift))
            missed = drawn.outside(always, lift)
            wrong += bool(missed.any())
            naive += bool(drawn.outside(once, lift).any())
            if not lift:
                _agree(drawn, missed)
        rows.append({"base": rate, "share": share, "effect": lift, "error": wrong / runs, "naive": naive / runs})
    return rows


def _agree(drawn: Simulated, concluded: NDArray[np.bool_]) -> None:
    """The deployed verdict says the same of the first look that concludes, of the one before, and of the last.

    Raises:
        AssertionError: it does not, and so this page would not be of the deployed code.
    """
    first = int(concluded.argmax()) if concluded.any() else LOOKS - 1
    for look in {max(0, first - 1), first, LOOKS - 1}:
        found = judge(ASKED, effect(*drawn.sides(look)), ALPHA, LOOKS * EVERY)
        assert (found.verdict in ("proven", "harm")) == bool(concluded[look]), (look, found)


def power(runs: int, seed: int) -> dict[str, Any]:
    """Experiments of the planned size with a true effect: how many conclude, when, and what a fixed horizon needs."""
    rng = np.random.default_rng([seed, 1])
    asked = Primary(kpi="k", test="superiority")
    lift, rate = 0.02, 0.85
    spread = (rate * (1 - rate) + (rate + lift) * (1 - rate - lift)) / 2
    planned = plan(asked, spread, (0.5, 0.5), ALPHA, LOOKS * EVERY, change=lift)
    at, looks = bounds(1, planned.units), planned.units // EVERY
    ends = []
    for _ in track(range(runs), description="power", transient=True):
        drawn = Simulated(rng, 0.5, (rate, rate + lift))
        with np.errstate(invalid="ignore"):
            shown = (drawn.effect - at * drawn.error > 0) & drawn.enough
        if shown[:looks].any():
            ends.append((int(shown.argmax()) + 1) * EVERY)
    width = ConfidenceSequence(ALPHA, planned.units, 1).multiple(planned.units) / fixed(0, 1, ALPHA, 1).upper
    two = ConfidenceSequence(ALPHA, planned.units).multiple(planned.units) / fixed(0, 1, ALPHA).upper
    return {
        "planned_units": planned.units, "fixed_units": planned.fixed, "promised": 0.8, "power": len(ends) / runs,
        "units_median": float(np.median(ends)) if ends else None, "width_ratio": {"two_sided": two, "one_sided": width},
    }  # fmt: skip


def clustered(runs: int, seed: int) -> dict[str, float]:
    """A/A with users who ask ten times on average, each with a rate of his own: error by user and by request."""
    rng, users, step = np.random.default_rng([seed, 2]), 2_000, 10
    errors = {"by_user": 0, "by_request": 0}
    sequence = ConfidenceSequence(ALPHA, users)
    by_user = np.array([sequence.multiple(n) for n in range(step, users + 1, step)])
    for _ in track(range(runs), description="clustered", transient=True):
        arm, asked = rng.random(users) < 0.5, rng.geometric(0.1, users).astype(float)
        right = rng.binomial(asked.astype(int), rng.beta(1.4, 0.6, users)).astype(float)
        errors["by_user"] += bool(_any_beyond(_linearised(arm, right, asked)[step - 1 :: step], by_user))
        together = np.repeat(arm, asked.astype(int)), _flat(right, asked)
        ends = asked.cumsum().astype(int)[step - 1 :: step] - 1
        requests = ConfidenceSequence(ALPHA, int(asked.sum()))
        each = np.array([requests.multiple(int(n) + 1) for n in ends])
        ones = np.ones(len(together[0]))
        errors["by_request"] += bool(_any_beyond(_linearised(together[0], together[1], ones)[ends], each))
    return {name: count / runs for name, count in errors.items()}


def _flat(right: Floats, asked: Floats) -> Floats:
    """Requests in the order of their users, of each those that were right first."""
    times = asked.astype(int)
    number = np.arange(times.sum()) - np.repeat(times.cumsum() - times, times)
    return np.asarray(number < np.repeat(right, times), dtype=float)


def _linearised(arm: NDArray[np.bool_], x: Floats, y: Floats) -> Floats:
    """After each unit: effect of the ratio x / y and its error by the formula of `ab.sequential.effects`, (n, 2)."""
    parts = []
    for mine in (~arm, arm):
        n = np.maximum(mine.cumsum(), 2).astype(float)
        sx, sy = (x * mine).cumsum(), (y * mine).cumsum()
        sxx, sxy, syy = (x * x * mine).cumsum(), (x * y * mine).cumsum(), (y * y * mine).cumsum()
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = sx / sy
            squares = sxx - 2 * ratio * sxy + ratio * ratio * syy
            parts.append((ratio, squares / (n - 1) / n / (sy / n) ** 2))
    return np.stack([parts[1][0] - parts[0][0], np.sqrt(np.maximum(0.0, parts[0][1] + parts[1][1]))], axis=1)


def _any_beyond(found: Floats, multiples: Floats) -> bool:
    burnt = len(found) // 10
    with np.errstate(invalid="ignore"):
        return bool((np.abs(found[:, 0]) > multiples * found[:, 1])[burnt:].any())


def sample_ratio(runs: int, seed: int) -> dict[str, Any]:
    """Alarms at any of 1,000 looks: units in the shares asked for, and with a twentieth of one arm lost."""
    rng, looks, step = np.random.default_rng([seed, 3]), 1_000, 100
    alarms = {"fair": 0, "lost": 0}
    for _ in track(range(runs), description="sample ratio", transient=True):
        for name, share in (("fair", 0.5), ("lost", 0.95 / 1.95)):
            ones = rng.binomial(step, share, looks).cumsum()
            alarms[name] += any(
                p_sequential({"a": int(k), "b": (at + 1) * step - int(k)}, {"a": 0.5, "b": 0.5}) < ALARM
                for at, k in enumerate(ones)
            )
    return {"alarm": ALARM, "looks": looks, "units": looks * step, **{k: v / runs for k, v in alarms.items()}}


PARTS: dict[str, Callable[[int, int], Any]] = {
    "peeking": peeking, "coverage": coverage, "ramps": ramps, "power": power, "clustered": clustered,
    "sample_ratio": sample_ratio,
    "false_rollbacks": false_rollbacks, "caught": caught, "paired": paired,
}  # fmt: skip


def show(report: dict[str, Any]) -> None:
    """The tables."""
    runs = report["runs"]
    table = Table(title=f"experiments in which any of {LOOKS:,} looks leaves the truth out, of {runs} (alpha {ALPHA})")
    for column in ("base rate", "shares", "true effect", "always valid", "fixed horizon, peeked at"):
        table.add_column(column, justify="right")
    for row in report["peeking"]:
        shares = f"{100 * (1 - row['share']):.0f}/{100 * row['share']:.0f}"
        errors = (f"{row['error']:.3f}", f"{row['naive']:.3f}")
        table.add_row(f"{row['base']:g}", shares, f"{row['effect']:g}", *errors)
    Console().print(table)
    for name in [name for name in PARTS if name != "peeking"]:
        Console().print(name.replace("_", " "), report[name])
    Console().print("seconds", report["seconds"])


def report(runs: int, seed: int, parts: Collection[str] = PARTS) -> dict[str, Any]:
    """What `parts` say, how many seconds of a processor each took, and what they have in common."""
    found: dict[str, Any] = {"alpha": ALPHA, "looks": LOOKS, "units": LOOKS * EVERY}
    seconds = {}
    for name in parts:
        began = time.process_time()
        found[name] = PARTS[name](runs, seed)
        seconds[name] = round(time.process_time() - began, 1)
    return found | {"seconds": seconds}


def main(argv: list[str]) -> int:
    """Entry point."""
    return simulate("statistics", __doc__ or "", "experiments", 100, argv, report, show, PARTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
