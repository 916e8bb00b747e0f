"""Ratios and costs from what was measured."""

from __future__ import annotations

from typing import Any

import pytest

from bench.real.serving import costs, ratios


def arm(scale: float) -> dict[str, Any]:
    streams = {str(n): {"tokens_per_second": 10 * n / scale, "core_seconds": scale} for n in (1, 8, 16)}
    return {
        "ttft": 0.2 * scale, "streams": streams, "memory": int(500 + 1000 * scale), "weights": int(600 * scale),
        "kv_cache": 100, "token": int(10 * scale), "own": 0,
    }  # fmt: skip


def test_memory_without_the_engine_holds_as_many_tokens_in_both_arms() -> None:
    found = ratios(arm(1.0), arm(0.5))
    assert found["ttft"] == 0.5
    assert found["throughput_8"] == 2.0
    assert found["memory"] == pytest.approx(1000 / 1500, abs=1e-4)
    assert found["memory_without_engine"] == pytest.approx((300 + 10 * 5) / (600 + 10 * 10), abs=1e-4)


def test_a_request_costs_less_the_more_the_student_answers_and_copies_cost_too() -> None:
    rows = costs({"teacher": arm(1.0), "student": arm(0.25)}, to_student=0.4, to_teacher=0.1)
    assert [row["share"] for row in rows] == [0.0, 0.5, 0.9]
    assert [row["of_teacher"] for row in rows] == [1.0, 0.625, 0.325]
    assert rows[0]["with_copies"] == pytest.approx(1 + 0.4 * 0.25)
    assert rows[2]["with_copies"] == pytest.approx(0.325 + 0.1 * 0.4 * 0.25 + 0.9 * 0.1 * 1.0)
