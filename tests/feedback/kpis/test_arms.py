"""Cohorts of an experiment hour by hour: what was counted before each look."""

from __future__ import annotations

import math
import random

from feedback.kpis.arms import counted_before, grown, looks
from feedback.kpis.figures import added


def test_what_had_grown_by_each_look_is_the_sum_of_the_cohorts_before_it() -> None:
    chance = random.Random(4)
    hourly = {chance.randrange(1000): {"users": float(n), **({"late": 1.0} if n % 7 == 0 else {})} for n in range(300)}
    until = [0, *looks([hourly], 40), 2000]
    found = grown(hourly, until)
    assert found == [added(sums for at, sums in hourly.items() if at < hour) for hour in until]
    assert (found[0], found[-1]) == ({}, added(hourly.values()))
    assert grown({}, [1, 2]) == [{}, {}]


def test_all_phases_and_arms_are_counted_by_the_same_hours() -> None:
    first, later = {10: {"users": 1.0}, 12: {"users": 2.0}}, {13: {"users": 4.0}}
    found = counted_before({1: {"teacher": first, "student": {}}, 2: {"teacher": later}}, [math.inf, 12, 12.5, 12])
    assert list(found) == [12, 12.5, math.inf]
    users = [
        {n: {arm: of.get("users") for arm, of in arms.items()} for n, arms in one.items()} for one in found.values()
    ]
    assert users == [
        {1: {"teacher": 1.0, "student": None}, 2: {"teacher": None}},
        {1: {"teacher": 3.0, "student": None}, 2: {"teacher": None}},
        {1: {"teacher": 3.0, "student": None}, 2: {"teacher": 4.0}},
    ]
    assert counted_before({}, [1, math.inf]) == {1: {}, math.inf: {}}
