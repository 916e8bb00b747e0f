"""Judging all looks at once agrees with the deployed guardrails at each of them."""

from __future__ import annotations

import numpy as np
import pytest

from ab.sequential.rollout import breach, watched
from bench.looks import by_step, harm_at, side
from bench.rollouts import KPI, RAILS, Traffic, drawn, even_rollout

STEPS = np.repeat([0, 1], 30)


@pytest.mark.parametrize("rates", [(0.0, 1.0), (0.0, 0.5), (0.05, 0.3), (0.3, 0.7), (0.05, 0.05), (0.05, 0.2)])
def test_the_first_look_that_harms_is_that_of_the_deployed_code(rates: tuple[float, float]) -> None:
    each = np.clip(np.array(rates), 1e-9, 1 - 1e-9)
    users = np.stack([np.full(60, 12.0), np.full(60, 3.0)], axis=1)
    sums = {KPI: by_step(drawn(np.random.default_rng(5), Traffic(2, 0.1), users, np.tile(each, (60, 1))), STEPS)}

    def deployed(look: int) -> bool:
        arms = {KPI: [(side(KPI, step[look, 0]), side(KPI, step[look, 1])) for step in sums[KPI]]}
        return breach(watched(RAILS, arms)) is not None

    looks = [look for look in range(60) if deployed(look)]
    assert harm_at(RAILS, sums) == (looks[0] if looks else None)
    assert bool(looks) == (rates[0] < rates[1])
    in_the_first_step = rates != (0.05, 0.2)
    assert (harm_at(RAILS, sums, fresh=True) == harm_at(RAILS, sums)) is in_the_first_step


@pytest.mark.parametrize("kpi", [rail.kpi for rail in RAILS])
def test_each_guardrail_is_judged_alike(kpi: str) -> None:
    """The candidate's figures of one KPI become those of users who do much worse; `harm_at` compares by itself."""
    sums = dict(even_rollout(np.random.default_rng(8), Traffic(2, 0.1)))
    assert harm_at(RAILS, sums) is None
    bad = sums[kpi].copy()
    n, x, y, xx, xy, yy, shown, _ = np.moveaxis(bad[:, :, 1], -1, 0)
    if kpi in ("exact", "facts", "similarity"):
        bad[:, :, 1] = np.stack([n, x / 2, y, xx / 4, xy / 2, yy, shown // 2, n], axis=-1)
    else:
        bad[:, :, 1] = np.stack([n, x + y / 2, y, xx + yy / 2, xy + yy / 2, yy, n // 2, n // 2], axis=-1)
    assert harm_at(RAILS, {**sums, kpi: bad}) is not None
