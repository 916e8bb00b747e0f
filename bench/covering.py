"""How often intervals cover the truth, by kind of KPI; and what pooling the phases of a ramp does to an A/A experiment.

Each look goes through the deployed code (`ab.sequential`, `ab.analysis.assessing`); nothing is reckoned beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ab.analysis.assessing import Column, PhaseUnits, over_phases
from ab.experiment import Primary
from ab.sequential.bounds import ConfidenceSequence, fixed
from ab.sequential.effects import Side, effect
from ab.sequential.judging import judge
from ab.sequential.moments import Moments
from bench.simulating import Floats

ALPHA = 0.05
UNITS, LOOKS = 20_000, 40
"""Units of an experiment, and how often it is looked at."""
KINDS = {
    "yes or no, 1 %": 0.01,
    "yes or no, 50 %": 0.5,
    "figure with a long tail (log-normal, sigma 1.5)": 1.5,
    "ratio, ten requests a user": 0.7,
    "figure with a covariate (CUPED)": 0.8,
    "figure with a covariate that a third of the users lack": 0.8,
}
LIFT = 0.003
"""Of the new arm: what is true, in the unit of the KPI; the figures are means near 1 or shares."""
RAMP = (0.05, 0.2, 0.5, 0.8)
"""Share of the new arm in the steps of a ramp, each of as many units."""
FALLING = (0.0, 0.02, 0.04)
"""By which the KPI of both arms is lower in each step than in the one before."""
BASE = 0.7
ASKED = Primary(kpi="k", test="two_sided")


def coverage(runs: int, seed: int) -> list[dict[str, Any]]:
    """Intervals that hold the true effect: at every look together, at the last one, and a fixed horizon's there."""
    rows, sequence = [], ConfidenceSequence(ALPHA, UNITS)
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, 6, number])
        held = {"every_look": 0, "last_look": 0, "fixed": 0}
        for _ in track(range(runs), description=f"coverage, {kind}", transient=True):
            looks = [effect(old, new) for old, new in _looks(rng, kind)]
            inside = []
            for found in looks:
                interval = sequence.around(found.value, found.error, found.n)
                inside.append(not found.enough or interval.lower <= LIFT <= interval.upper)
            once = fixed(looks[-1].value, looks[-1].error, ALPHA)
            held["every_look"] += all(inside)
            held["last_look"] += inside[-1]
            held["fixed"] += once.lower <= LIFT <= once.upper
        rows.append({"kind": kind, "looks": LOOKS, "units": UNITS, **{k: v / runs for k, v in held.items()}})
    return rows


def _looks(rng: np.random.Generator, kind: str) -> list[tuple[Side, Side]]:
    """Both arms at each look; the new one has LIFT more."""
    new = rng.random(UNITS) < 0.5
    figures = _drawn(rng, kind, np.where(new, LIFT, 0.0))
    sides = [_sides(np.where(arm[:, None], figures, 0.0), arm, binary=kind.startswith("yes")) for arm in (~new, new)]
    return list(zip(*sides, strict=True))


def _drawn(rng: np.random.Generator, kind: str, lift: Floats) -> Floats:
    """(units, 4): numerator, denominator, covariate, whether there is one."""
    level, one = KINDS[kind], np.ones(UNITS)
    none = 0 * one
    if kind.startswith("yes"):
        return np.stack([(rng.random(UNITS) < level + lift).astype(float), one, none, none], axis=1)
    if kind.startswith("ratio"):
        asked, own = rng.geometric(0.1, UNITS), rng.beta(level * 4, (1 - level) * 4, UNITS)
        right = rng.binomial(
            asked, np.minimum(own, 1 - LIFT) + lift
        )  # in both arms at most that, so LIFT is the effect
        return np.stack([right.astype(float), asked.astype(float), none, none], axis=1)
    if "covariate" in kind:
        before = rng.normal(0, 1, UNITS)
        after = 1 + lift + level * before + rng.normal(0, np.sqrt(1 - level**2), UNITS)
        known = one if "lack" not in kind else (rng.random(UNITS) < 2 / 3).astype(float)
        return np.stack([after, one, known * before, known], axis=1)
    return np.stack([rng.lognormal(-(level**2) / 2, level, UNITS) + lift, one, none, none], axis=1)


def _sides(figures: Floats, arm: NDArray[np.bool_], *, binary: bool) -> list[Side]:
    """One arm after each look; `figures` are 0 where a unit is of another."""
    ends = [UNITS * (look + 1) // LOOKS for look in range(LOOKS)]
    parts = [figures[low:high][arm[low:high]] for low, high in pairwise([0, *ends])]
    found, seen = [], Side(binary=binary)
    for part in parts:
        shown, missed = int(np.sum(part[:, 0] > 0)), int(np.sum(part[:, 0] < part[:, 1]))
        seen = seen + Side(Moments.of(part), shown, missed, binary)
        found.append(seen)
    return found


def ramps(runs: int, seed: int) -> list[dict[str, Any]]:
    """A/A experiments on a ramp of which any look concludes: by phase, as deployed, and as if it had been one phase."""
    rows, each = [], UNITS // len(RAMP)
    for falling in FALLING:
        rng = np.random.default_rng([seed, 7, int(1000 * falling)])
        wrong = {"by_phase": 0, "pooled": 0}
        for _ in track(range(runs), description=f"ramp, {falling:g} lower each step", transient=True):
            said = {"by_phase": False, "pooled": False}
            for phases in _steps(rng, falling, each):
                parts = [effect(phase.side("old", "k"), phase.side("new", "k")) for phase in phases]
                whole = [sum((phase.side(arm, "k") for phase in phases), Side()) for arm in ("old", "new")]
                for how, one in (("by_phase", over_phases(phases, parts)), ("pooled", effect(whole[0], whole[1]))):
                    said[how] |= judge(ASKED, one, ALPHA, UNITS).verdict in ("proven", "harm")
            for how in wrong:
                wrong[how] += said[how]
        rows.append({"falling": falling, "looks": LOOKS, "units": UNITS, **{k: v / runs for k, v in wrong.items()}})
    return rows


def _steps(rng: np.random.Generator, falling: float, each: int) -> list[list[PhaseUnits]]:
    """The phases so far at each look, every unit in one of them."""
    over: list[PhaseUnits] = []
    found, looks = [], LOOKS // len(RAMP)
    for step, share in enumerate(RAMP):
        rate = BASE - step * falling
        new = rng.random(each) < share
        right = rng.random(each) < rate
        ends = [each * (look + 1) // looks for look in range(looks)]
        for end in ends:
            sides: dict[tuple[str, Column], Side] = {
                (name, ("k", None)): Side.counted(int(arm[:end].sum()), int((arm & right)[:end].sum()))
                for name, arm in (("old", ~new), ("new", new))
            }
            units = {name: side.n for (name, _), side in sides.items()}
            phase = PhaseUnits({"old": 1 - share, "new": share}, units, sides, returning=0)
            found.append([*over, phase])
        over = found[-1]
    return found


def page(report: Mapping[str, Any], table: Callable[[list[tuple[str, ...]], tuple[str, ...]], str]) -> list[str]:
    """What the page of benchmarks says of coverage and of ramps."""
    covered, ramp = report["coverage"], report["ramps"]
    shares = ", ".join(f"{share:.0%}" for share in RAMP)
    return [
        f"Intervals that hold the true effect ({LIFT:g} more in the new arm), {covered[0]['units']:,} units looked at "
        f"{covered[0]['looks']} times, alpha {ALPHA:g}; a fixed horizon's is asked once, at the last look:",
        table([(row["kind"], *(f"{row[how]:.3f}" for how in ("every_look", "last_look", "fixed"))) for row in covered],
              ("KPI", "always valid, every look", "always valid, last look", "fixed horizon, last look")),
        f"A/A experiments on a ramp ({shares} of the units in the new arm, {ramp[0]['units'] // len(RAMP):,} units "
        f"each) that conclude at any of {ramp[0]['looks']} looks, while the KPI of both arms falls from {BASE:.0%}:",
        table([(f"{100 * row['falling']:g} points", f"{row['by_phase']:.3f}", f"{row['pooled']:.3f}") for row in ramp],
              ("lower in each step by", "by phase, as deployed", "pooled over the ramp")),
    ]  # fmt: skip
