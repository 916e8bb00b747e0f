"""Phases: compared within, then combined; units that come back are neither counted twice nor taken for new ones."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ab.analysis.assessing import Column, PhaseUnits, assess, columns, distinct, sample_ratio
from ab.experiment import Experiment, Primary
from ab.sequential.effects import Side

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


TAIL: Column = ("latency_p99", None)


def timed(new: tuple[int, int], old: tuple[int, int] = (4_000, 0), **more: object) -> PhaseUnits:
    """Users of each arm, and how many of them had a slow request; all else is equal."""
    same = Side.counted(5_000, 4_000)
    sides = {("teacher", RIGHT): same, ("student", RIGHT): same}
    sides |= {("teacher", TAIL): Side.counted(*old), ("student", TAIL): Side.counted(*new)}
    units = {"teacher": 5_000, "student": 5_000}
    return PhaseUnits(FILE.shares, units, sides, frozenset({"latency_p99"}), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ((4_000, 8), (4_000, 8), "safe"), ((4_000, 40), (4_000, 0), "safe"), ((4_000, 40), (4_000, 40), "open"),
        ((4_000, 8), (4_000, 120), "harm"), ((4_000, 120), (4_000, 120), "open"), ((4_000, 0), (60, 0), "open"),
        ((4_000, 0), (0, 0), "too few"),
    ],
)  # fmt: skip
def test_a_tail_is_safe_below_one_per_cent_of_the_requests_and_harm_beyond_it_and_the_other_arm(
    old: tuple[int, int], new: tuple[int, int], verdict: str
) -> None:
    """An arm of which nobody was slow is safe on a few hundred users; a burst that slows both down harms nothing."""
    assert assess(FILE, [timed(new, old)]).comparisons[0].guardrails[0].verdict == verdict


def watched(seen: PhaseUnits) -> str:
    return assess(FILE, [seen]).comparisons[0].guardrails[0].verdict


def test_what_rows_say_of_a_tail_is_the_ratio_of_their_means() -> None:
    """Rows bring a figure of each user, and no limit was frozen."""
    rng = np.random.default_rng(8)
    for times, verdict in ((1.0, "safe"), (2.0, "harm")):
        sides = {("teacher", TAIL): Side.plain(rng.normal(1.0, 0.2, 2_000))}
        sides[("student", TAIL)] = Side.plain(rng.normal(times, 0.2, 2_000))
        seen = PhaseUnits(FILE.shares, {"teacher": 2_000, "student": 2_000}, sides)
        assert watched(seen) == verdict


def test_an_arm_that_follows_ships_on_phases_of_the_live_version_alone() -> None:
    asked = {"kpi": "right", "test": "superiority"}
    file = FILE.model_copy(update={"guardrails": (), "primary": Primary.model_validate(asked)})
    better, same = (phase(Side.counted(3_000, 2_400), Side.counted(3_000, n), returning=0) for n in (2_600, 2_400))
    assert assess(file, [better]).decision == "ship"
    former = assess(file, [replace(better, live=False)])
    assert former.decision == "keep running"
    assert "not yet shown on the live version" in former.why
    assert former.comparisons[0].primary is not None
    assert former.comparisons[0].primary.verdict == "proven"
    assert assess(file, [replace(better, live=False), replace(better, live=True)]).decision == "ship"
    assert assess(file, [replace(better, live=False), same]).decision != "ship"
    worse = phase(Side.counted(3_000, 2_400), Side.counted(3_000, 2_000), live=False)
    assert assess(file, [worse]).decision == "stop for harm"


def test_without_units_or_phases_nothing_is_concluded() -> None:
    assert columns(FILE) == (RIGHT, ("latency_p99", None))
    for phases in ([], [phase(Side(), Side())]):
        found = assess(FILE, phases)
        assert (found.decision, dict(found.units)) == ("not enough data", {"teacher": 0, "student": 0})
        assert found.sample_ratio.p_sequential == 1.0
