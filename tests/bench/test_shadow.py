"""Pairs on one prompt beside a split test, at small counts."""

from __future__ import annotations

import numpy as np
import pytest

from bench import shadow
from bench.shadow import paired


def test_both_versions_on_one_prompt_need_far_fewer_prompts() -> None:
    rows = paired(24, seed=3)
    assert {row["rule"] for row in rows} == {"experiment", "guardrail"}
    for row in rows:
        assert row["saved"] == pytest.approx(row["own_prompts"]["p50"] / row["one_prompt"]["p50"], abs=0.05)
        assert row["saved"] > (4 if row["apart"] == 0.02 else 1.5)
    few, many = (row["one_prompt"]["p50"] for row in rows if row["rule"] == "experiment")
    assert few < many, "the more prompts differ by chance, the more are needed"


def test_what_the_deployed_code_does_not_say_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    n = np.arange(1, shadow.LOOKS + 1) * shadow.PER_LOOK
    lost, won = n * 4 // 100, n // 100
    assert shadow._pairs_end(lost, won, n) is not None
    monkeypatch.setattr(shadow.pairs, "DISCORDANT", 10**6)
    assert shadow._pairs_end(lost, won, n) is None
    monkeypatch.undo()
    monkeypatch.setattr(shadow, "_half", lambda error, n, sequence: 0 * error)
    with pytest.raises(AssertionError):
        shadow._pairs_end(lost, won, n)
