"""The effect in words, as the experimenter reads it."""

from __future__ import annotations

import math

import pytest

from ab.experiment import Primary
from ab.sequential.bounds import Interval
from ab.sequential.effects import Effect
from ab.sequential.judging import KpiFinding
from ab.sequential.words import sentence


def found(kpi: str, value: float, low: float, high: float, old: float = 0.85) -> KpiFinding:
    interval = Interval(low, high, 0.5)
    return KpiFinding(kpi, "two_sided", Effect(value, 0.01, 900, old, old + value), interval, interval, "open")


@pytest.mark.parametrize(
    ("finding", "margin", "text"),
    [
        (
            found("first_response_correct", -0.004, -0.019, 0.011), 0.012,
            "the student answers right 0.4 points less often than the teacher, between -1.9 and +1.1; "
            "the margin is 1.2",
        ),
        (
            found("takeover", 0.021, 0.018, 0.024, 0.1), 0.0,
            "the student is taken over by a human 2.10 points more often than the teacher, between +1.80 and +2.40",
        ),
        (
            found("rating", -0.5, -0.75, -0.25, 4.2), 0.0,
            "the student has rating 0.50 lower than the teacher, between -0.75 and -0.25",
        ),
        (
            found("rating", math.nan, -math.inf, math.inf, math.nan), 0.0,
            "nothing is known yet of rating of the student against the teacher",
        ),
    ],
)  # fmt: skip
def test_it_reads_as_a_sentence(finding: KpiFinding, margin: float, text: str) -> None:
    assert sentence(("teacher", "student"), finding, Primary(kpi=finding.kpi, margin=margin)) == text


@pytest.mark.parametrize(
    ("error", "covered", "told"),
    [
        (0.008, 400, ", adjusted for takeover_before (variance reduced by 36 %)"),
        (0.011, 400, ", adjusted for takeover_before (variance raised by 21 %)"),
        (0.010, 0, ""),
    ],
)
def test_it_says_what_the_time_before_took_away_where_it_did(error: float, covered: int, told: str) -> None:
    interval = Interval(-0.01, 0.03, 0.5)
    effect = Effect(0.01, error, 900, 0.1, 0.11, plain=0.01, covered=covered)
    finding = KpiFinding("takeover", "two_sided", effect, interval, interval, "open", "takeover_before")
    said = sentence(("teacher", "student"), finding, Primary(kpi="takeover", covariate="takeover_before"))
    assert said.endswith(f"between -1.0 and +3.0{told}")


def test_an_arm_that_is_a_name_is_quoted_and_no_primary_is_no_effect() -> None:
    assert sentence(("teacher", "student:v3"), None, None) == "`student:v3` against the teacher"
    assert sentence(("left", "right"), None, None) == "`right` against `left`"
