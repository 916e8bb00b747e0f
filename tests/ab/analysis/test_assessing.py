"""Phases: compared within, then combined; units that come back are neither counted twice nor taken for new ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ab.analysis.assessing import Column, PhaseUnits, assess, columns, distinct, sample_ratio
from ab.experiment import Experiment
from ab.sequential.effects import Side, UnitFigure

RIGHT: Column = ("right", None)
FILE = Experiment.model_validate(
    {
        "id": "e", "arms": {"teacher": 0.5, "student": 0.5},
        "primary": {"kpi": "right"}, "guardrails": [{"kpi": "latency_p99", "max_ratio": 1.3}],
        "stop": {"planned_units": 10_000},
    }
)  # fmt: skip


def phase(old: Side, new: Side, share: float = 0.5, **more: object) -> PhaseUnits:
    sides = {("teacher", RIGHT): old, ("student", RIGHT): new}
    units = {"teacher": old.n, "student": new.n}
    return PhaseUnits({"teacher": 1 - share, "student": share}, units, sides, **more)  # type: ignore[arg-type]


def test_a_ramp_over_a_changing_level_is_no_effect() -> None:
    """The level falls from 90 to 70 % while the student's share grows: pooled it would be worse by eight points."""
    early = phase(Side.counted(1_800, 1_620), Side.counted(200, 180), 0.1, returning=0)
    late = phase(Side.counted(1_000, 700), Side.counted(1_000, 700), 0.5, returning=0)
    found = assess(FILE, [early, late]).comparisons[0].primary
    assert found is not None
    assert found.effect.value == pytest.approx(0.0, abs=1e-12)
    assert found.effect.n == 4_000
    assert found.verdict == "open"


def test_users_who_come_back_in_each_phase_are_one_observation() -> None:
    """600 A/A pairs of two phases with the same users, whose rates persist: the combined error covers the spread."""
    rng = np.random.default_rng(2)
    seen, known, blind = [], [], []
    for _ in range(600):
        rates = rng.beta(0.5, 0.5, (2, 150))
        phases = []
        for back in (0, 300):
            old, new = (Side.plain(rng.binomial(1, rate).astype(float)) for rate in rates)
            phases.append(phase(old, new, returning=back))
        found = assess(FILE, phases).comparisons[0].primary
        apart = assess(FILE, [phase(*(p.side(a, "right") for a in p.units), returning=0) for p in phases])
        assert found is not None
        assert apart.comparisons[0].primary is not None
        assert found.effect.n == 300
        seen.append(found.effect.value)
        known.append(found.effect.error)
        blind.append(apart.comparisons[0].primary.effect.error)
    spread = float(np.std(seen))
    assert np.mean(blind) < 0.85 * spread
    assert spread < np.mean(known) < 1.3 * spread


def test_what_is_not_known_of_returning_units_is_taken_at_its_worst() -> None:
    phases = [phase(Side.counted(50, 40), Side.counted(50, 40)), phase(Side.counted(150, 100), Side.counted(50, 40))]
    assert distinct(phases, ("teacher", "student")) == {"teacher": 50 + 75, "student": 50 + 25}
    known = [phases[0], phase(Side.counted(150, 100), Side.counted(50, 40), returning=20)]
    assert sum(distinct(known, ("teacher", "student")).values()) == 280


def test_the_sample_ratio_is_that_of_each_phase_and_not_of_their_sum() -> None:
    even, tenth = Side.counted(5_000, 4_000), Side.counted(900, 700)
    ramp = [phase(even, even), phase(Side.counted(8_100, 6_000), tenth, 0.1)]
    assert sample_ratio(ramp).p_sequential > 0.5
    lost = [phase(even, even), phase(Side.counted(8_100, 6_000), Side.counted(600, 500), 0.1)]
    assert sample_ratio(lost).p_sequential < 0.001
    assert assess(FILE, lost).decision == "sample-ratio alarm"


def test_one_phase_is_the_plain_result() -> None:
    one = phase(Side.counted(400, 300), Side.counted(400, 310))
    plain = assess(FILE, [one]).comparisons[0].primary
    assert plain is not None
    assert (plain.effect.value, plain.effect.n) == pytest.approx((0.025, 800))
    error = math.sqrt(0.75 * 0.25 / 399 + 0.775 * 0.225 / 399)
    assert plain.effect.error == pytest.approx(error)
    assert sample_ratio([one]).p_fixed == pytest.approx(1.0)


@pytest.mark.parametrize(("slow", "verdict"), [(0.002, "safe"), (0.01, "open"), (0.03, "harm")])
def test_a_tail_is_harm_when_more_than_one_per_cent_of_the_requests_take_too_long(slow: float, verdict: str) -> None:
    rng = np.random.default_rng(8)
    counts = rng.poisson(800, 128)
    groups = Side.of(UnitFigure(float(rng.binomial(n, slow)), float(n), binary=True) for n in counts)
    tail: Column = ("latency_p99", None)
    sides = {("student", tail): groups, ("teacher", RIGHT): Side.counted(5_000, 4_000)}
    sides[("student", RIGHT)] = Side.counted(5_000, 4_000)
    units = {"teacher": 5_000, "student": 5_000}
    seen = PhaseUnits(FILE.shares, units, sides, {("student", "latency_p99"): 5_000})
    assert assess(FILE, [seen]).comparisons[0].guardrails[0].verdict == verdict


def test_without_units_or_phases_nothing_is_concluded() -> None:
    assert columns(FILE) == (RIGHT, ("latency_p99", None))
    for phases in ([], [phase(Side(), Side())]):
        found = assess(FILE, phases)
        assert (found.decision, dict(found.units)) == ("not enough data", {"teacher": 0, "student": 0})
        assert found.sample_ratio.p_sequential == 1.0
