"""When breakers open and close: what may be configured."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from serving.breaker.config import BreakerRule, EngineBreakerConfig


@pytest.mark.parametrize("wrong", [{"share": 0}, {"share": float("nan")}, {"calls": 0}, {"longest_pause_seconds": 0.1}])
def test_a_rule_that_cannot_be_kept_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BreakerRule.model_validate(wrong)


def test_an_engine_s_breaker_says_nothing_before_20_calls() -> None:
    assert EngineBreakerConfig().calls == 20
