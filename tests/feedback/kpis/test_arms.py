"""Cohorts of an experiment hour by hour: what was counted before each look."""

from __future__ import annotations

import random

from feedback.kpis.arms import grown, looks
from feedback.kpis.figures import added


def test_what_had_grown_by_each_look_is_the_sum_of_the_cohorts_before_it() -> None:
    chance = random.Random(4)
    hourly = {chance.randrange(1000): {"users": float(n), **({"late": 1.0} if n % 7 == 0 else {})} for n in range(300)}
    until = [0, *looks([hourly], 40), 2000]
    found = grown(hourly, until)
    assert found == [added(sums for at, sums in hourly.items() if at < hour) for hour in until]
    assert (found[0], found[-1]) == ({}, added(hourly.values()))
    assert grown({}, [1, 2]) == [{}, {}]
