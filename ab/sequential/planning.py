"""How many units an experiment needs, and what power the planned ones give. Pure.

At the planned horizon the confidence sequence is a test with a wider multiple of the standard error; its power there is
a lower bound of that over all looks before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from ab.experiment import Primary
from ab.sequential.bounds import ConfidenceSequence, Sides


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """Units over both arms for `power`, and what the planned ones give; `fixed` for one look at a fixed horizon."""

    units: int
    fixed: int
    power: float
    detectable: float


def plan(asked: Primary, spread: float, shares: tuple[float, float], alpha: float, planned: int,
         change: float | None = None, power: float = 0.8) -> UnitPlan:  # fmt: skip
    """Of a KPI whose units vary by `spread` (variance of the unit's linearised figure, the same in both arms).

    `change` is the distance from the null hypothesis that must be noticed: the margin of a non-inferiority or
    equivalence test (arms truly equal), else asked for.

    Raises:
        ValueError: no change is given where the test has no margin, or a share, variance or power that cannot be.
    """
    distance = change if change is not None else asked.margin
    if distance <= 0:
        raise ValueError(f"a plan for {asked.test} needs the change to notice (`--change`), above 0")
    if not 0 < power < 1 or min(shares) <= 0 or not 0 < spread < math.inf:
        raise ValueError("a plan needs two shares above 0, a KPI that varies, and a power between 0 and 1")
    sides: Sides = 2 if asked.test == "two_sided" else 1
    spread_n = spread * (1 / shares[0] + 1 / shares[1])
    normal = NormalDist()
    twice = asked.test == "equivalence"
    z = normal.inv_cdf((1 + power) / 2 if twice else power)
    at_plan = ConfidenceSequence(alpha, planned, sides).multiple(planned)
    # The multiple at the horizon does not depend on the horizon: rho is tuned to it.
    needed = math.ceil(spread_n * ((at_plan + z) / distance) ** 2)
    once = math.ceil(spread_n * ((normal.inv_cdf(1 - alpha / sides) + z) / distance) ** 2)
    error = math.sqrt(spread_n / planned)
    beyond = normal.cdf(distance / error - at_plan)
    reached = max(0.0, 2 * beyond - 1) if twice else beyond
    return UnitPlan(needed, once, reached, (at_plan + z) * error)
