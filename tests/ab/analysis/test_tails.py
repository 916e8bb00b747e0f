"""A P99 at one look: what it says of known latencies, by users and not by requests, within phases."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from ab.analysis.replies import as_json
from ab.analysis.rows import parse
from ab.analysis.tails import TimedUnits, one_look
from ab.analysis.tally import ArmTally
from ab.experiment import Experiment
from ab.guardrails import Guardrail

RAIL = Guardrail(kpi="latency_p99", max_ratio=1.3)
OF_EXPONENTIAL = math.log(100)
"""P99 of times of mean 1."""


def timed(units: int, pace: float = 1.0, seed: int = 1, requests: int = 5, alike: float = 0.0) -> TimedUnits:
    """Exponential times of mean `pace`; `alike`: spread of users' own paces, in logarithms."""
    rng, found = np.random.default_rng(seed), TimedUnits()
    for n in range(units):
        own = pace * math.exp(alike * rng.standard_normal())
        found.add(f"{seed}-{n}", list(rng.exponential(own, requests)))
    return found


@pytest.mark.parametrize(("pace", "verdict"), [(1.0, "safe"), (1.3, "open"), (2.0, "harm")])
def test_the_ratio_of_two_p99_is_held_against_its_limit(pace: float, verdict: str) -> None:
    found = one_look(RAIL, [(timed(3_000), timed(3_000, pace, 2))], 0.05)
    assert (found.verdict, found.limit) == (verdict, "max_ratio 1.3, at one look")
    assert found.once is not None
    assert found.once.old == pytest.approx(OF_EXPONENTIAL, rel=0.06)
    assert found.once.lower < pace < found.once.upper
    assert found.once.lower < found.once.ratio < found.once.upper
    assert found.worse == pytest.approx(found.once.new - 1.3 * found.once.old)
    assert "one look" in found.once.method


def test_below_five_hundred_users_an_arm_it_says_nothing_however_many_requests_they_send() -> None:
    found = one_look(RAIL, [(timed(499, requests=50), timed(3_000, 5.0, 2))], 0.05)
    assert (found.verdict, found.once) == ("too few", None)
    assert one_look(RAIL, [], 0.05).verdict == "too few"
    assert one_look(RAIL, [(timed(900), TimedUnits())], 0.05).verdict == "too few"


def test_users_of_their_own_pace_say_less_than_as_many_requests_of_any() -> None:
    wide, narrow = (one_look(RAIL, [(timed(800, 1.0, 1, 20, spread), timed(800, 1.0, 2, 20, spread))], 0.05).once
                    for spread in (1.0, 0.0))  # fmt: skip
    assert wide is not None
    assert narrow is not None
    assert wide.upper - wide.lower > 3 * (narrow.upper - narrow.lower)


def test_a_slow_phase_in_which_the_new_arm_had_most_users_is_no_harm() -> None:
    phases = [(timed(4_000, 1.0, 1), timed(500, 1.0, 2)), (timed(500, 3.0, 3), timed(4_000, 3.0, 4))]
    within = one_look(RAIL, phases, 0.05)
    assert within.verdict != "harm"
    assert within.once is not None
    assert within.once.ratio == pytest.approx(1.0, abs=0.12)


def test_the_bounds_hold_in_about_as_many_samples_as_they_say() -> None:
    """50 A/A samples, one-sided bounds at 0.1 each: 5 beyond either are expected, the standard error is 2.1."""
    missed = [0, 0]
    for run in range(50):
        old, new = (timed(500, 1.0, 2 * run + side, requests=2) for side in (0, 1))
        look = one_look(RAIL, [(old, new)], 0.1).once
        assert look is not None
        missed[0] += look.lower > 1
        missed[1] += look.upper < 1
    assert max(missed) <= 11


def test_rows_of_single_requests_are_judged_at_one_look_and_say_so() -> None:
    file = Experiment.model_validate({
        "id": "e", "arms": {"teacher": 0.5, "student": 0.5}, "primary": {"kpi": "right"},
        "guardrails": [{"kpi": "latency_p99", "max_ratio": 1.3}],
    })  # fmt: skip
    rng, tally = np.random.default_rng(3), ArmTally(file)
    rows = [
        {"unit": f"u{n}", "arm": ("teacher", "student")[n % 2], "t": t, "right": 1,
         "latency": float(rng.exponential(1 + n % 2))}
        for n in range(2_000) for t in range(3)
    ]  # fmt: skip
    tally.add([parse(json.dumps(row), tally.kpis) for row in rows])
    (rail,) = as_json(tally.result(), tally)["guardrails"]
    assert (rail["verdict"], rail["limit"]) == ("harm", "max_ratio 1.3, at one look")
    assert rail["fixed_horizon"]["ratio"] == pytest.approx(2.0, rel=0.15)
    assert rail["fixed_horizon"]["lower"] > 1.3
    other = ArmTally(file)
    other.add([parse(json.dumps({"unit": f"u{n}", "arm": ("teacher", "student")[n % 2], "latency_p99": 1.0 + n % 3}),
                     other.kpis) for n in range(2_000)])  # fmt: skip
    (rail,) = as_json(other.result(), other)["guardrails"]
    assert "fixed_horizon" not in rail, "a column of the KPI itself is asked of its means"
