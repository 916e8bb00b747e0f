"""What an experiment needs, by what its primary KPI did before. Pure."""

from __future__ import annotations

from typing import Any

from ab.experiment import Experiment
from ab.sequential.effects import Side
from ab.sequential.planning import plan

ENOUGH_POWER = 0.8


def foreseen(
    experiment: Experiment, past: Side, per_day: float | None, change: float | None = None, power: float = ENOUGH_POWER
) -> dict[str, Any]:
    """Units and days for `power`, and the power of the planned units; `past` are units of the time before.

    Raises:
        ValueError: no primary KPI, several switches, no change to notice, or a past in which the KPI does not vary.
    """
    asked = experiment.primary
    if asked is None:
        raise ValueError(f"{experiment.id} names no primary KPI; a plan needs `primary: {{kpi, test, margin}}`")
    if len(experiment.switches) > 1:
        raise ValueError(
            f"{experiment.id} crosses switches into {len(experiment.arms)} cells, and a plan compares two arms; "
            "plan each switch by a file of it alone, such as `switches: {routing: 0.5}`"
        )
    shares = [share for share in experiment.shares.values() if share > 0]
    if past.n < 2 or len(shares) < 2:
        raise ValueError(f"a plan needs two arms with a share and rows with {asked.kpi}; {past.n} units have it")
    stop = experiment.stop
    found = plan(asked, past.variance, (shares[0], shares[1]), stop.alpha, stop.planned_units, change, power)
    return {
        "kpi": asked.kpi, "mean": past.ratio, "units_of_history": past.n,
        "units": found.units, "units_fixed_horizon": found.fixed, "days": found.units / per_day if per_day else None,
        "planned_units": stop.planned_units, "power": found.power, "detectable": found.detectable,
    }  # fmt: skip
