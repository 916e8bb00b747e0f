"""The business table: effects, per cent, widths, and the users still missing."""

from __future__ import annotations

import numpy as np
import pytest

from ab.analysis.assessing import Column, PhaseUnits
from ab.analysis.business import BusinessRow, business
from ab.sequential.effects import Side, UnitFigure

ARMS = {"teacher": 0.5, "student": 0.5}


def rows(planned: int = 83_600, **sides: tuple[Side, Side]) -> dict[str, BusinessRow]:
    columns: dict[str, Column] = {kpi: (kpi, None) for kpi in sides}
    by_arm = {(arm, columns[kpi]): pair[at] for kpi, pair in sides.items() for at, arm in enumerate(ARMS)}
    units = {arm: max(pair[at].n for pair in sides.values()) for at, arm in enumerate(ARMS)}
    return {row.kpi: row for row in business([PhaseUnits(ARMS, units, by_arm)], list(ARMS), planned)}


def test_the_users_missing_are_those_of_the_rule_of_thumb() -> None:
    """41,800 an arm at 85 %, less those that are there."""
    row = rows(first_response_correct=(Side.counted(10_000, 8_500), Side.counted(10_000, 8_500)))[
        "first_response_correct"
    ]
    assert row.missing == pytest.approx(31_800, abs=100)
    enough = Side.counted(42_000, 35_700)
    assert rows(first_response_correct=(enough, enough))["first_response_correct"].missing == 0
    assert rows(first_response_correct=(enough, enough))["first_response_correct"].width < 0.015


def test_users_whose_occasions_are_alike_need_as_many_more_as_their_design_effect_says() -> None:
    """Four occasions a user that are all the same say as much as one."""
    rng = np.random.default_rng(1)
    said = rng.random((2, 10_000)) < 0.85
    alike = tuple(Side.of(UnitFigure(4.0 * x, 4.0, binary=True) for x in one) for one in said)
    apart = tuple(Side.of(UnitFigure(float(rng.binomial(4, 0.85)), 4.0, binary=True) for _ in one) for one in said)
    needed = []
    for old, new in (alike, apart):
        row = rows(takeover=(old, new))["takeover"]
        assert row.missing is not None
        needed.append(row.missing + 10_000)
    assert needed[0] / needed[1] == pytest.approx(4, rel=0.15)


def test_turns_are_told_in_turns_and_per_cent_and_wanted_narrow_in_per_cent() -> None:
    rng = np.random.default_rng(4)
    old, new = (Side.of(UnitFigure(float(rng.poisson(mean)), 1.0) for _ in range(4_000)) for mean in (5.0, 5.4))
    row = rows(session_turns=(old, new))["session_turns"]
    assert row.effect == pytest.approx(0.4, abs=0.2)
    assert row.percent == pytest.approx(100 * row.effect / row.old)
    assert row.lower < row.effect < row.upper
    assert row.wanted == pytest.approx(0.015 * row.old)


def test_what_nobody_sends_has_no_number_of_users_missing() -> None:
    found = rows(takeover=(Side.counted(30, 2), Side.counted(30, 3)))
    assert found["takeover"].missing is None, "too few for an error to be believed"
    assert (found["first_response_correct"].missing, found["first_response_correct"].n) == (None, 0)
