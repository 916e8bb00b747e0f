"""The figures of a flood, from what came of each request."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bench.breaker.breakdown import FloodRun, figures, kept, known, quantile
from bench.breaker.load import Answered
from bench.breaker.telling import rows
from bench.breaker.traffic import Due


def answered(attack: bool, seconds: float, degraded: str = "", good: bool = True, status: int = 200) -> Answered:
    return Answered(Due(0.0, b"", "u", attack, False), seconds, status, degraded, good)


FLOOD = FloodRun.of([
    answered(True, 0.01, "guard"), answered(True, 0.3, "breaker"), answered(True, 0.02, "guard", good=False),
    answered(True, 0.06), answered(False, 0.09), answered(False, 0.05, "guard"), answered(True, 60.0, status=0),
    answered(False, 0.01, status=503),
], 0.05, 3.0)  # fmt: skip
CALM = FloodRun.of([answered(False, 0.06)], 0.01, 1.0)
SETTINGS: dict[str, Any] = {"requests": 5, "runs": 1, "attacks_per_second": 50.0, "normal_per_second": 20.0}


def test_the_report_counts_what_came_late_what_was_wrong_and_what_normal_requests_noticed() -> None:
    found = figures([(FLOOD, CALM)])
    assert found["degraded"]["n"] == 4
    assert (found["degraded"]["above_200_ms"], found["attacks_above_200_ms"]) == (1, 2)
    assert found["degraded"]["causes"] == {"guard": 3, "breaker": 1}
    assert (found["attacks"], found["attacks_served"], found["violations"]) == (5, 2, 1)
    assert (found["failed"], found["normal_failed"], found["normal_degraded"]) == (2, 1, 1)
    assert found["normal"]["ratio"] == pytest.approx(1.5)
    assert found["longest_pause_ms"] == {"with_flood": 50.0, "without_flood": 10.0}
    assert found["load"] == 3.0


def test_several_runs_are_one_report_and_survive_a_file() -> None:
    slower = replace(FLOOD, normal_p99_ms=300.0, above_200_ms=21, pause_ms=70.0)
    pairs = {0: (FLOOD, CALM), 1: (slower, CALM), 2: (FLOOD, CALM)}
    found = figures(list(pairs.values()))
    assert (found["degraded"]["n"], found["degraded"]["above_200_ms"]) == (12, 23)
    assert found["degraded"]["p50_ms"] == 50.0
    assert found["degraded"]["p999_ms"] == 300.0
    assert found["normal"]["ratio"] == pytest.approx(1.5)  # the median of pairs, not the worst
    assert found["longest_pause_ms"]["with_flood"] == 70.0
    assert known(json.loads(json.dumps(kept(pairs)))) == pairs


def test_what_was_asked_stands_beside_each_figure_and_whether_it_is_so() -> None:
    asked = {name: said for name, _, said in rows({**SETTINGS, **figures([(FLOOD, CALM)])})}
    assert asked["first bytes above 200 ms, of degraded replies / of all attacks"] == "at most 1: not met"
    assert asked["violations"] == "0: not met"
    assert asked["normal p99 with / without the flood, median ratio"].endswith("met")
    real = figures([(replace(FLOOD, pause_ms=None), replace(CALM, pause_ms=None))])
    names = [name for name, *_ in rows({**SETTINGS, **figures([(FLOOD, CALM)]), "real": real})]
    assert "real engines: first bytes above 200 ms, of degraded replies / of all attacks" in names
    assert "longest pause of the event loop with / without" in names
    assert "real engines: longest pause of the event loop with / without" not in names


def test_quantiles_of_few_values_are_values() -> None:
    assert [quantile([], 0.5), quantile([3.0], 0.99), quantile([1.0, 2.0], 0.5)] == [0.0, 3.0, 2.0]
