"""Ratios and costs from what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.real.serving import costs, memory_of, ratios, read_of
from serving.engine.config import EnginesConfig
from tests.onboard.models import ROWS, tiny


def arm(scale: float) -> dict[str, Any]:
    streams = {str(n): {"tokens_per_second": 10 * n / scale, "core_seconds": scale} for n in (1, 8, 16)}
    return {
        "ttft": 0.2 * scale, "streams": streams, "memory": int(500 + 1000 * scale), "weights": int(600 * scale),
        "kv_cache": 100, "token": int(10 * scale), "own": 0,
    }  # fmt: skip


def weights(layers: int) -> int:
    """Numbers in a tiny model, without head: embeddings, attention, feed-forward, norms."""
    return ROWS * 64 + layers * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96 + 2 * 64) + 64


def test_what_an_engine_holds_is_told_apart_by_the_type_it_serves_in(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "model", layers=3)
    engines = EnginesConfig(device="cpu", kv_cache_bytes=1 << 20)
    plain = 4 * weights(3)
    found = memory_of(folder, engines, total=plain + (1 << 20) + 777)
    assert (found["weights"], found["kv_cache"], found["own"]) == (plain, 1 << 20, 777)
    assert found["token"] == 2 * 3 * 1 * 32 * 4, "keys and values of three layers, one head of 32 float32 numbers"
    assert (found["dtype"], found["parameters"], found["memory"]) == ("float32", weights(3), plain + (1 << 20) + 777)
    half = memory_of(folder, engines.model_copy(update={"dtype": "bfloat16"}), total=0)
    assert (half["weights"], half["token"], half["own"], half["dtype"]) == (plain // 2, 2 * 3 * 32 * 2, 0, "bfloat16")


def test_a_token_reads_a_row_of_embeddings_that_have_a_head_beside_them_and_all_of_shared_ones(tmp_path: Path) -> None:
    shared, apart = tiny(tmp_path / "shared", layers=2), tiny(tmp_path / "apart", layers=2, tie_word_embeddings=False)
    assert read_of(shared) == weights(2), "the head reads all of them"
    assert read_of(apart) == weights(2)
    assert memory_of(apart, EnginesConfig(device="cpu"), 0)["parameters"] == weights(2) + ROWS * 64


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
