"""A P99 of two arms at one look: a sketch of each arm's requests, and users drawn again in groups by hash. Pure.

Nothing here may be looked at twice: the bootstrap's interval holds at a horizon that was fixed beforehand. A running
experiment is judged by the share of requests beyond a frozen limit instead, see `assessing`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ab.analysis.sketch import drawn, group_of, key_of, table
from ab.guardrails import Guardrail
from ab.sequential.effects import UNITS
from ab.sequential.judging import GuardrailVerdict, RailFinding, TailLook

Q = 0.99
DRAWS = 1_000
WORDS = "P99 by DDSketch; users drawn again in 128 groups by hash, 1,000 times; holds at one look fixed beforehand"


@dataclass(slots=True)
class TimedUnits:
    """Requests of an arm's units in a phase: how many took how long, by group of users and key of the sketch."""

    units: int = 0
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(self, unit: str, seconds: Sequence[float]) -> None:
        """One unit's requests."""
        group = group_of("", unit)
        self.units += 1
        self.counts.update((group, key_of(one)) for one in seconds)


def one_look(rail: Guardrail, phases: Sequence[tuple[TimedUnits, TimedUnits]], alpha: float) -> RailFinding:
    """What a `max_ratio` on a P99 says of phases, each of which has the first arm's and the other's requests.

    The new P99 less `max_ratio` times the old one is taken within phases and combined by n0 n1 / (n0 + n1), as effects
    are; each edge is a bound at level 1 - `alpha`. Nothing is said before each arm has 500 units with a request.
    """
    limit, words = rail.max_ratio or 1.0, f"{rail.words}, at one look"
    used = [(old, new) for old, new in phases if old.units and new.units]
    if not used or min(sum(side.units for side in sides) for sides in zip(*used, strict=True)) < UNITS:
        return RailFinding(rail.kpi, words, math.nan, -math.inf, math.inf, 0.0, "too few")
    keys = sorted({key for pair in used for side in pair for _, key in side.counts})
    found = np.array(drawn([table(side.counts, keys) for pair in used for side in pair], keys, Q, DRAWS))
    weights = np.array([old.units * new.units / (old.units + new.units) for old, new in used])
    old, new = (weights @ found[side::2] / weights.sum() for side in (0, 1))
    worse, ratio = new - limit * old, new / old
    lower, upper = np.nanquantile(worse[1:], (alpha, 1 - alpha))
    verdict: GuardrailVerdict = "harm" if lower > 0 else "safe" if upper < 0 else "open"
    bounds = np.nanquantile(ratio[1:], (alpha, 1 - alpha))
    look = TailLook(float(old[0]), float(new[0]), float(ratio[0]), float(bounds[0]), float(bounds[1]), WORDS)
    return RailFinding(rail.kpi, words, float(worse[0]), float(lower), float(upper), 0.0, verdict, look)
