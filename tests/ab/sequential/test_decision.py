"""Every row of the table of decisions, and that nothing wrong is ever shipped."""

from __future__ import annotations

from typing import Any

import pytest

from ab.experiment import Experiment
from ab.sequential.decision import Comparison, SampleRatio, decide
from ab.sequential.effects import Effect
from ab.sequential.judging import judge, watch

FILE = Experiment.model_validate(
    {
        "id": "e", "arms": {"teacher": 0.5, "student": 0.5},
        "primary": {"kpi": "first_response_correct", "test": "non_inferiority", "margin": 0.012},
        "guardrails": [{"kpi": "abnormal_termination", "max_increase": 0.01}],
        "stop": {"planned_units": 20_000, "max_days": 14},
    }
)  # fmt: skip
FAIR = SampleRatio(0.5, 1.0)


def pair(primary: float, rail: float, error: float = 0.002, enough: bool = True) -> Comparison:
    """The student against the teacher: effects of the primary KPI and of the guardrail's."""
    assert FILE.primary is not None
    one, other = (Effect(value, error, 10_000, 0.85, 0.85 + value, enough) for value in (primary, rail))
    return Comparison(
        "teacher",
        "student",
        judge(FILE.primary, one, 0.05, 20_000),
        (),
        (watch(FILE.guardrails[0], other, 0.05, 20_000),),
    )


@pytest.mark.parametrize(
    ("given", "decision", "why"),
    [
        ({}, "ship", "0.0 points"),
        ({"ratio": SampleRatio(0.0, 1e-5)}, "sample-ratio alarm", "shares asked for"),
        ({"ratio": SampleRatio(0.0, 1e-5), "rail": 0.5}, "sample-ratio alarm", "shares asked for"),
        ({"rail": 0.03}, "stop for harm", "abnormal_termination is worse by 0.03"),
        ({"primary": -0.05}, "stop for harm", "5.0 points less often than the teacher"),
        ({"rail": 0.03, "enough": False}, "stop for harm", "abnormal_termination"),
        ({"enough": False}, "not enough data", "20 units with"),
        ({"primary": -0.008}, "keep running", "the margin is 1.2"),
        ({"rail": 0.008}, "keep running", "not yet safe: abnormal_termination"),
        ({"primary": -0.008, "n": 20_000}, "stop for futility", "20,000 planned"),
        ({"primary": -0.008, "days": 14.5}, "stop for futility", "14.5 days of 14"),
        ({"days": 15.0}, "ship", "between"),
    ],
)
def test_the_first_row_that_holds_decides(given: dict[str, Any], decision: str, why: str) -> None:
    n = given.get("n", 10_000)
    found = pair(given.get("primary", 0.0), given.get("rail", 0.0), enough=given.get("enough", True))
    result = decide(FILE, {"teacher": n // 2, "student": n // 2}, given.get("ratio", FAIR), [found], given.get("days"))
    assert result.decision == decision
    assert why in result.why


def test_an_arm_without_traffic_or_a_kpi_that_nobody_sends_is_not_enough_data() -> None:
    assert FILE.primary is not None
    nothing = Effect(float("nan"), float("inf"), 0, float("nan"), float("nan"), False)
    found = Comparison("teacher", "student", judge(FILE.primary, nothing, 0.05, 20_000))
    for units, why in (
        ({"teacher": 50, "student": 0}, "exposed to student"),
        ({"teacher": 9, "student": 8}, "sent first"),
    ):
        result = decide(FILE, units, FAIR, [found])
        assert result.decision == "not enough data"
        assert why in result.why


def test_without_a_primary_kpi_nothing_ships() -> None:
    file = FILE.model_copy(update={"primary": None})
    result = decide(file, {"teacher": 10**6, "student": 10**6}, FAIR, [Comparison("teacher", "student", None)])
    assert result.decision == "keep running"
    assert "names no primary KPI" in result.why
