"""The page of results: what is not known is a dash, and phases and fallbacks are shown where there are some."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feedback.kpis.coalitions import METRICS
from feedback.kpis.effects import copy_effects
from feedback.store.keys import RedisKeys
from serving.control.pages.results import figure, interval, results_page
from serving.control.replies.results import ExperimentResultsReply
from tests.feedback.applying import Applier
from tests.feedback.factory import exchange

KPI: dict[str, Any] = {
    "kpi": "rating", "test": "two_sided", "effect": None, "lower": None, "upper": None, "p": 1.0,
    "fixed": {"lower": None, "upper": None, "p": 1.0}, "old": None, "new": None, "n": 0, "verdict": "too few",
}  # fmt: skip
REPLY: dict[str, Any] = {
    "id": "e", "state": "active", "decision": "not enough data", "why": "nobody has sent rating yet",
    "arms": {"teacher": {"units": 1_000, "fell_back": 3}, "student": {"units": 900, "fell_back": 0}},
    "planned_units": 10_000, "reached_units": 1_900, "days": None, "max_days": 14,
    "sample_ratio": {"p_fixed": 0.02, "p_sequential": 1.0, "verdict": "fits"},
    "comparisons": [{"old": "teacher", "new": "student", "primary": KPI, "guardrails": [],
                     "secondary": [{**KPI, "kpi": "click", "significant": True}]}],
    "outlook": [], "phases": [], "business": {}, "looks": {},
}  # fmt: skip


def page(**changes: Any) -> str:
    return results_page(ExperimentResultsReply.model_validate({**REPLY, **changes}))


def test_what_is_not_known_is_a_dash() -> None:
    lines = page().splitlines()
    assert lines[0] == "not enough data: nobody has sent rating yet"
    row = next(line for line in lines if line.startswith("rating"))
    assert row.split() == ["rating", "primary", "student", "-", "teacher", "-", "-", "two_sided", "too", "few"]
    assert next(line for line in lines if line.startswith("click")).endswith("significant")


def test_units_that_another_arm_answered_are_told() -> None:
    text = page()
    assert "teacher 1,000, 3 of them answered by another arm" in text
    assert "student 900\n" in text
    assert "day" not in text


def test_phases_are_shown_where_there_are_several() -> None:
    phases = [
        {
            "number": 1,
            "since": 0.0,
            "shares": {"teacher": 0.9, "student": 0.1},
            "units": {"teacher": 90, "student": 10},
        },
        {"number": 2, "since": 7200.0, "shares": {"teacher": 0.5, "student": 0.5}, "units": {"teacher": 50}},
    ]
    assert "phase" not in page(phases=phases[:1])
    text = page(phases=phases)
    assert "1970-01-01 02:00:00  teacher 0.5: 50  student 0.5: 0" in text


def test_a_stopped_one_says_so() -> None:
    assert "e is stopped" in page(state="stopped")


def test_shares_are_told_in_points_and_other_figures_as_they_are() -> None:
    assert figure(-0.004, True) == "-0.40 points"
    assert figure(-0.004, False) == "-0.004"
    assert interval(-0.019, 0.011, True) == "-1.9 to +1.1"
    assert interval(None, 0.011, True) is None


def copied(users: int, experiment: str = "x") -> list[list[Any]]:
    """Copies of users of phase 1, two each: the student says less, the candidate makes up for half of it."""
    chance, commands = random.Random(4), []
    for n in range(2 * users):
        level, lost = chance.uniform(0.5, 0.9), chance.choice((0.0, 0.2))
        figures = [dict.fromkeys(METRICS, 1.0) | {"quality": level - share * lost} for share in (0.0, 1.0, 0.5)]
        one = exchange(n, unit=f"c{n // 2}", at=time.time() - 60)
        commands.append(copy_effects(RedisKeys(), one, experiment, 1, ("v1", "v2"), figures))
    return commands


def test_switches_are_valued_on_copies_in_the_layer_that_changes_nothing(admin: TestClient, redis_url: str) -> None:
    file = {"id": "x", "layer": "observe", "switches": {"routing": 0.5, "candidate": 0.5},
            "shadow": {"coalitions": 0.2}, "stop": {"planned_units": 300}}  # fmt: skip
    assert admin.put("/experiments/x", json=file).status_code == 200
    assert admin.get("/experiments/x/results").json()["copies"] == []
    Applier(redis_url).commands(copied(200))
    answer = admin.get("/experiments/x/results").json()
    assert (answer["attribution"], len(answer["copies"])) == ([], len(METRICS))
    found = {one["metric"]: one for one in answer["copies"]}
    quality, length = found["quality"], found["length"]
    assert (quality["prompts"], quality["n"]) == (400, 200)
    assert quality["shapley"]["routing"]["value"] == pytest.approx(-0.075, abs=0.02)
    assert quality["shapley"]["candidate"]["value"] == pytest.approx(0.025, abs=0.02)
    assert quality["shapley"]["routing"]["upper"] < 0 < quality["shapley"]["candidate"]["lower"]
    assert quality["sum"] == pytest.approx(quality["change"]["effect"])
    assert quality["values"]["routing,candidate"] - quality["values"][""] == pytest.approx(quality["sum"])
    assert (length["attributed"], "100 units" in length["why"]) == (False, True)
    page = results_page(ExperimentResultsReply.model_validate(answer))
    for words in (
        "on 400 copied prompts of 200 users",
        "all off -> all on",
        "20 units need a prompt",
        "100 units need a prompt",
    ):
        assert words in page, page
    live = {**file, "layer": "arm", "switches": {"routing": 0.5, "guard": 0.5, "candidate": 0.5}}
    assert admin.put("/experiments/live", json={**live, "id": "live"}).status_code == 200
    Applier(redis_url, spool="live").commands(copied(200, "live"))
    beside = admin.get("/experiments/live/results").json()
    assert [one["metric"] for one in beside["copies"]] == list(METRICS)
    without = next(one for one in beside["copies"] if one["metric"] == "quality")
    assert (without["shapley"], without["players"]) == (quality["shapley"], ["routing", "candidate"])
