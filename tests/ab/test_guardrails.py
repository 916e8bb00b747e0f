"""Guardrails: the three ways to say how much worse a KPI may be."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ab.guardrails import Guardrail


def test_the_edge_and_the_words_are_those_of_the_limit_given() -> None:
    told = [
        (one.edge, one.words)
        for one in (
            Guardrail(kpi="k", max_increase=0.1), Guardrail(kpi="k", max_decrease=0.0), Guardrail(kpi="k", max_ratio=2)
        )
    ]  # fmt: skip
    assert told == [(0.1, "max_increase 0.1"), (0.0, "max_decrease 0"), (0.0, "max_ratio 2")]


@pytest.mark.parametrize("limits", [{}, {"max_increase": 1, "max_ratio": 2}, {"max_increase": 1, "max_decrease": 1}])
def test_exactly_one_limit_is_wanted(limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of"):
        Guardrail(kpi="k", **limits)
