"""Guardrails: what is clear harm, in each of the three ways to say it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ab.guardrails import Guardrail, first_breach
from ab.summary import Stat

OLD = Stat(200, 0.5, 0.01)


@pytest.mark.parametrize(
    ("limit", "harmful", "harmless"),
    [
        ({"max_increase": 0.1}, 0.7, 0.58),
        ({"max_decrease": 0.1}, 0.3, 0.42),
        ({"max_ratio": 1.5}, 0.9, 0.7),
    ],
)
def test_only_a_difference_beyond_its_limit_is_harm(limit: dict[str, float], harmful: float, harmless: float) -> None:
    guardrail = Guardrail(kpi="k", **limit)
    why = guardrail.breach(Stat(100, harmful, 0.01), OLD, "the stable version")
    assert why is not None
    assert f"k {harmful:.3f}" in why
    assert "0.500 of the stable version (n 100 and 200)" in why
    assert guardrail.breach(Stat(100, harmless, 0.01), OLD) is None
    assert guardrail.breach(Stat(100, 1.0 - harmful, 0.01), OLD) is None


def test_what_chance_explains_is_no_harm() -> None:
    guardrail = Guardrail(kpi="k", max_increase=0.0)
    assert guardrail.breach(Stat(10, 0.6, 0.09), OLD) is None
    assert guardrail.breach(Stat(1000, 0.6, 0.09), OLD) is not None


def test_nothing_has_no_ratio() -> None:
    assert Guardrail(kpi="k", max_ratio=2).breach(Stat(100, 5.0, 0.01), Stat(100, 0.0, 0.0)) is None


def test_the_first_one_that_is_broken_speaks_and_few_samples_are_silent() -> None:
    guardrails = [Guardrail(kpi=kpi, max_increase=0.1) for kpi in ("a", "b", "c")]
    new = {"a": Stat(19, 0.9, 0.01), "b": Stat(20, 0.9, 0.01), "c": Stat(20, 0.9, 0.01)}
    old = dict.fromkeys("abc", OLD)
    assert str(first_breach(guardrails, new, old, 20)).startswith("b ")
    assert str(first_breach(guardrails, new, old)).startswith("a ")
    assert first_breach(guardrails, {}, {}) is None


@pytest.mark.parametrize("limits", [{}, {"max_increase": 1, "max_ratio": 2}, {"max_increase": 1, "max_decrease": 1}])
def test_exactly_one_limit_is_wanted(limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of"):
        Guardrail(kpi="k", **limits)
