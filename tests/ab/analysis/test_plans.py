"""A plan says units, days and power, or why it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from ab.analysis.plans import foreseen
from ab.experiment import Experiment
from ab.sequential.effects import Side


def file(**more: Any) -> Experiment:
    given = {"id": "e", "arms": {"teacher": 0.5, "student": 0.5}, "stop": {"planned_units": 20_000}, **more}
    return Experiment.model_validate(given)


PRIMARY = {"kpi": "right", "test": "non_inferiority", "margin": 0.02}
PAST = Side.counted(1_000, 850)


def test_days_are_units_by_what_comes_in_a_day() -> None:
    found = foreseen(file(primary=PRIMARY), PAST, 500.0)
    assert found["days"] == pytest.approx(found["units"] / 500)
    assert found["mean"] == pytest.approx(0.85)
    assert foreseen(file(primary=PRIMARY), PAST, None)["days"] is None


def test_more_units_have_more_power_and_eighty_per_cent_at_those_named() -> None:
    few = foreseen(file(primary=PRIMARY, stop={"planned_units": 9_000}), PAST, None)
    right = foreseen(file(primary=PRIMARY, stop={"planned_units": few["units"]}), PAST, None)
    assert few["power"] < 0.8
    assert right["power"] == pytest.approx(0.8, abs=0.01)


def test_one_switch_is_planned_as_two_arms_are() -> None:
    of = {"primary": PRIMARY, "stop": {"planned_units": 9_000}}
    two, one = foreseen(file(**of), PAST, None), foreseen(file(arms=None, switches={"guard": 0.5}, **of), PAST, None)
    assert (one["units"], one["power"]) == (two["units"], two["power"])


@pytest.mark.parametrize(
    ("changes", "past", "why"),
    [
        ({}, PAST, "names no primary KPI"),
        ({"primary": PRIMARY}, Side.counted(1, 1), "1 units have it"),
        ({"primary": PRIMARY, "arms": {"teacher": 1.0}}, PAST, "two arms"),
        ({"primary": PRIMARY}, Side.counted(100, 100), "varies"),
        ({"primary": {"kpi": "right"}}, PAST, "change to notice"),
        ({"primary": PRIMARY, "arms": None, "switches": {"routing": 0.5, "candidate": 0.5}}, PAST, "into 4 cells"),
    ],
)
def test_what_cannot_be_planned_says_why(changes: dict[str, Any], past: Side, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        foreseen(file(**changes), past, None)
