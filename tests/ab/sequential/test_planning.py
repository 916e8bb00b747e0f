"""Plans against textbook numbers and against a simulation of what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from ab.experiment import Primary
from ab.sequential.bounds import ConfidenceSequence
from ab.sequential.planning import plan

HALF = (0.5, 0.5)


def test_one_look_needs_what_the_textbook_says() -> None:
    """Two-sided, 0.5 against 0.55, variance 0.25 in both arms: 2 * 0.25 * (1.96 + 0.8416)^2 / 0.05^2."""
    found = plan(Primary(kpi="k"), 0.25, HALF, 0.05, 10_000, change=0.05)
    assert found.fixed == pytest.approx(2 * 2 * 0.25 * (1.959964 + 0.841621) ** 2 / 0.05**2, abs=1)


def test_always_valid_needs_more_and_unequal_shares_more_still() -> None:
    asked = Primary(kpi="k", test="non_inferiority", margin=0.012)
    even, uneven = (plan(asked, 0.1275, shares, 0.05, 45_000) for shares in (HALF, (0.95, 0.05)))
    assert even.fixed < even.units < uneven.units
    assert even.power == pytest.approx(0.79, abs=0.02)


def test_planned_units_that_are_the_units_needed_have_the_power_asked_for() -> None:
    asked = Primary(kpi="k", test="superiority")
    needed = plan(asked, 1.0, HALF, 0.05, 1_000, change=0.1, power=0.9).units
    assert plan(asked, 1.0, HALF, 0.05, needed, change=0.1).power == pytest.approx(0.9, abs=1e-3)
    assert plan(asked, 1.0, HALF, 0.05, needed, change=0.1, power=0.9).detectable == pytest.approx(0.1, rel=1e-3)


def test_experiments_of_that_size_conclude_as_often_as_promised() -> None:
    asked, rng = Primary(kpi="k", test="superiority"), np.random.default_rng(4)
    units = plan(asked, 1.0, HALF, 0.05, 1_000, change=0.2).units
    sequence, error = ConfidenceSequence(0.05, units, 1), (4 / units) ** 0.5
    shown = rng.normal(0.2, error, 4_000) > sequence.half_width(error, units)
    assert shown.mean() == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(
    ("asked", "spread", "shares", "change"),
    [
        (Primary(kpi="k"), 0.25, HALF, None),
        (Primary(kpi="k"), 0.0, HALF, 0.1),
        (Primary(kpi="k"), 0.25, (1.0, 0.0), 0.1),
        (Primary(kpi="k"), float("nan"), HALF, 0.1),
    ],
)
def test_what_cannot_be_planned_is_refused(
    asked: Primary, spread: float, shares: tuple[float, float], change: float | None
) -> None:
    with pytest.raises(ValueError, match="plan"):
        plan(asked, spread, shares, 0.05, 10_000, change)
