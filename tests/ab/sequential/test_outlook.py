"""What would change the answer: with the units that it names, it does."""

from __future__ import annotations

import math

import pytest

from ab.experiment import Experiment
from ab.sequential.bounds import ConfidenceSequence
from ab.sequential.decision import Comparison, SampleRatio, decide
from ab.sequential.effects import Effect
from ab.sequential.judging import judge, watch
from ab.sequential.outlook import outlook, units_until

FILE = Experiment.model_validate(
    {
        "id": "e", "arms": {"teacher": 0.5, "student": 0.5},
        "primary": {"kpi": "first_response_correct", "test": "non_inferiority", "margin": 0.012},
        "guardrails": [{"kpi": "abnormal_termination", "max_increase": 0.01}],
        "stop": {"planned_units": 20_000},
    }
)  # fmt: skip


def said(value: float, p: float = 1.0, rail: float = 0.0, error: float = 0.004, n: int = 8_000) -> tuple[str, str]:
    """Decision and outlook of one look."""
    assert FILE.primary is not None
    one, other = (Effect(x, error, n, 0.85, 0.85 + value) for x in (value, rail))
    rails = (watch(FILE.guardrails[0], other, 0.05, 20_000),)
    found = Comparison("teacher", "student", judge(FILE.primary, one, 0.05, 20_000), (), rails)
    result = decide(FILE, {"teacher": n // 2, "student": n // 2}, SampleRatio(0.5, p), [found])
    return result.decision, "\n".join(outlook(FILE, result))


@pytest.mark.parametrize("gap", [0.004, 0.008, 0.02])
def test_with_the_units_it_names_the_interval_just_clears_the_gap(gap: float) -> None:
    sequence = ConfidenceSequence(0.05, 20_000, 1)
    needed = units_until(gap, 0.004, 8_000, sequence)
    assert needed is not None

    def half(n: float) -> float:
        return sequence.half_width(0.004 * math.sqrt(8_000 / n), int(n))

    assert half(needed) < gap
    assert needed == 8_000 or half(needed * 0.98) >= gap


def test_a_gap_on_the_wrong_side_is_never_cleared() -> None:
    sequence = ConfidenceSequence(0.05, 20_000)
    assert units_until(-0.01, 0.004, 8_000, sequence) is None
    assert units_until(1e-6, 0.004, 8_000, sequence) is None
    assert units_until(0.01, math.inf, 0, sequence) is None


def test_an_open_experiment_says_what_would_prove_it_harm_it_and_end_it() -> None:
    decision, text = said(-0.006)
    assert decision == "keep running"
    assert "student is proven when the end of the interval of first_response_correct that is now at" in text
    assert "passes -1.20" in text
    assert "more units at the present effect" in text
    assert "stops for harm when" in text
    assert "12,000 more units" in text
    assert "guardrail abnormal_termination (max_increase 0.01) of student is safe when the upper end" in text


@pytest.mark.parametrize(
    ("given", "decision", "words"),
    [
        ({"value": 0.0, "p": 1e-6}, "sample-ratio alarm", "another id"),
        ({"value": -0.05}, "stop for harm", "nothing: the harm is proven"),
        ({"value": 0.0, "n": 20_000}, "stop for futility", "more planned units"),
        ({"value": 0.03, "error": 0.001}, "ship", "hold at every later look"),
        ({"value": 0.0, "n": 20}, "keep running", "not at the present effect"),
    ],
)
def test_every_decision_has_its_way_out(given: dict[str, float], decision: str, words: str) -> None:
    found, text = said(**given)  # type: ignore[arg-type]
    assert (found, words in text) == (decision, True), text


def test_without_a_primary_kpi_no_number_of_units_ends_it() -> None:
    plain = FILE.model_copy(update={"primary": None})
    rails = (watch(FILE.guardrails[0], Effect(0.0, 0.004, 90_000, 0.85, 0.85), 0.05, 20_000),)
    result = decide(plain, {"teacher": 45_000, "student": 45_000}, SampleRatio(0.5, 1.0),
                    [Comparison("teacher", "student", None, (), rails)])  # fmt: skip
    assert result.decision == "keep running"
    *_, last = outlook(plain, result)
    assert "names no primary KPI" in last
    assert not any("futility" in line for line in outlook(plain, result))
