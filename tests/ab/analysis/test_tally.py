"""Results from rows, against a straightforward computation of the same."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from ab.analysis.replies import as_json
from ab.analysis.rows import UnitRow, parse
from ab.analysis.tally import ArmTally
from ab.experiment import Experiment

FILE = Experiment.model_validate(
    {
        "id": "e", "arms": {"teacher": 0.5, "student": 0.5},
        "primary": {"kpi": "right", "test": "non_inferiority", "margin": 0.02},
        "secondary": [{"kpi": "rating"}, {"kpi": "turns", "better": "lower"}],
        "guardrails": [{"kpi": "bad", "max_increase": 0.02}, {"kpi": "seconds", "max_ratio": 1.3}],
        "stop": {"planned_units": 6_000},
    }
)  # fmt: skip


def rows(units: int, lift: float = 0.0, harm: float = 0.0, seed: int = 1) -> list[UnitRow]:
    rng, tally = np.random.default_rng(seed), ArmTally(FILE)
    found = []
    for at in range(units):
        student = at % 2
        value = {
            "unit": f"用户{at}", "arm": "student" if student else "teacher",
            "right": int(rng.random() < 0.8 + lift * student), "rating": float(rng.normal(3, 1)),
            "turns": [int(rng.integers(1, 30)), 4], "bad": int(rng.random() < 0.02 + harm * student),
            "seconds": float(rng.exponential(1)),
        }  # fmt: skip
        found.append(parse(json.dumps(value), tally.kpis))
    return found


def result(given: list[UnitRow], parts: int = 1) -> dict[str, object]:
    tally = ArmTally(FILE)
    for part in range(parts):
        tally.add([row for row in given if hash(row.unit) % parts == part])
    return as_json(tally.result(), tally)


def test_effects_and_intervals_are_those_of_the_formulas() -> None:
    found = result(rows(4_000))
    arms = {arm: np.array([r.values["right"][0] for r in rows(4_000) if r.arm == arm]) for arm in FILE.arms}
    effect = arms["student"].mean() - arms["teacher"].mean()
    error = math.sqrt(sum(x.var(ddof=1) / len(x) for x in arms.values()))
    a, n, planned = 0.05, 4_000, 6_000
    rho2 = (-2 * math.log(2 * a) + math.log(1 - 2 * math.log(2 * a))) / planned
    inside = math.log(1 + math.sqrt(n * rho2 + 1) / (2 * a))
    half = error * math.sqrt(n) * math.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * inside)
    primary = found["primary"]
    assert isinstance(primary, dict)
    assert (primary["effect"], primary["lower"], primary["upper"]) == pytest.approx(
        (effect, effect - half, effect + half)
    )
    assert found["units"] == {"teacher": 2_000, "student": 2_000}


def test_parts_add_to_the_whole() -> None:
    given = rows(1_000)
    one, many = result(given), result(given, parts=7)
    assert json.loads(json.dumps(one), parse_float=lambda x: round(float(x), 9)) == json.loads(
        json.dumps(many), parse_float=lambda x: round(float(x), 9)
    )


@pytest.mark.parametrize(
    ("lift", "harm", "decision"), [(0.05, 0.0, "ship"), (-0.2, 0.0, "stop for harm"), (0.05, 0.1, "stop for harm")]
)
def test_good_students_ship_and_bad_ones_stop(lift: float, harm: float, decision: str) -> None:
    assert result(rows(6_000, lift, harm))["decision"] == decision


def test_repeated_rows_of_a_unit_do_not_make_more_units() -> None:
    given = rows(600)
    once, thrice = result(given), result(given * 3)
    assert thrice["units"] == once["units"]
    assert thrice["primary"]["lower"] == pytest.approx(once["primary"]["lower"], rel=1e-9)  # type: ignore[index]


def test_a_unit_in_two_arms_is_counted_in_its_first_and_said() -> None:
    given = rows(600)
    moved = [UnitRow(given[0].unit, "student", 9.0, given[0].values, 0)]
    found = result(given + moved)
    assert found["units"] == {"teacher": 300, "student": 300}
    assert found["left_out"] == {"switched_arm": 1, "not_finite": 0}


def test_units_of_an_arm_that_the_file_does_not_name_are_an_alarm() -> None:
    given = rows(600)
    found = result([*given, UnitRow("x", "other", 0.0, {}, 0)])
    assert found["decision"] == "sample-ratio alarm"


def test_a_covariate_narrows_the_interval() -> None:
    rng, file = np.random.default_rng(1), FILE.model_copy(update={"secondary": (), "guardrails": ()})
    assert file.primary is not None
    with_it = file.model_copy(
        update={"primary": file.primary.model_copy(update={"kpi": "spend", "covariate": "before"})}
    )
    without = file.model_copy(update={"primary": file.primary.model_copy(update={"kpi": "spend"})})
    lines = []
    for at in range(2_000):
        before = float(rng.normal())
        arm = "student" if at % 2 else "teacher"
        known = {} if at % 19 == 7 else {"before": before}
        lines.append(json.dumps({"unit": at, "arm": arm, **known, "spend": before + float(rng.normal()) / 2}))
    widths = []
    for one in (without, with_it):
        tally = ArmTally(one)
        tally.add([parse(text, tally.kpis) for text in lines])
        told = as_json(tally.result(), tally)["primary"]
        assert ("adjusted" in told, told["n"]) == (one is with_it, 2_000)
        widths.append(told["upper"] - told["lower"])
    assert widths[1] < 0.6 * widths[0]
    assert told["adjusted"]["covariate"] == "before"
    assert told["adjusted"]["units"] == 1_895
    assert 0.6 < told["adjusted"]["variance_reduced"] < 0.8
