"""When a round will have ended: by its own pace, by earlier rounds, by its budget."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.rounds.outlook import seconds_left
from deploy.rounds.record import Round, StageRecord
from deploy.rounds.table import STAGES

TOOK = {
    "select": 4.0, "score": 40.0, "distil": 60.0, "export": 5.0, "evaluate": 6.0, "register": 1.0, "gate": 1.0,
    "canary": 30.0, "live": 2.0,
}  # fmt: skip


def at(state: str, *, number: int = 2, since: float = 100.0, budget: float | None = None) -> Round:
    """A round that has come to `state`, with the stages before it behind it."""
    over = STAGES[: STAGES.index(state)] if state in STAGES else STAGES
    stages = {stage: StageRecord(0.0, TOOK[stage], "done", {}) for stage in over}
    return Round(
        id=number, state=state, parent="v1", teacher="t1", candidate=None, why="", started=0.0, stages=stages,
        since=since, budget=budget,
    )  # fmt: skip


def told(stage: str, done: float, total: float) -> dict[str, Any]:
    return {"stage": stage, "done": done, "total": total}


def test_a_stage_goes_on_at_its_own_pace_and_the_others_take_as_long_as_last_time() -> None:
    left = seconds_left(at("distil"), told("distil", 25, 100), [at("done", number=1)], now=120.0)
    assert left == pytest.approx(20.0 * 3 + 5 + 6 + 1 + 1 + 30 + 2)


def test_a_stage_that_has_said_little_takes_as_long_as_last_time() -> None:
    for progress in (None, told("distil", 1, 100), told("score", 50, 100), told("distil", 0, 0)):
        left = seconds_left(at("distil"), progress, [at("done", number=1)], now=120.0)
        assert left == pytest.approx(60 - 20 + 5 + 6 + 1 + 1 + 30 + 2)


def test_a_first_round_ends_by_its_budget_and_the_longest_canary() -> None:
    assert seconds_left(at("score", budget=150.0), None, [], now=110.0, canary=45.0) == pytest.approx(140 + 45)
    assert seconds_left(at("export", budget=150.0), None, [], now=101.0, canary=45.0) is None
    assert seconds_left(at("evaluate", budget=150.0), None, [], now=110.0, canary=45.0) == pytest.approx(40 + 45)
    assert seconds_left(at("gate", budget=150.0), None, [], now=110.0, canary=45.0) == pytest.approx(45)
    assert seconds_left(at("score", budget=150.0), None, [], now=999.0, canary=45.0) == pytest.approx(45)


def test_a_canary_ends_at_its_steps_end_at_the_latest() -> None:
    assert seconds_left(at("canary"), told("canary", 10, 40), [], now=111.0) == pytest.approx(30)
    assert seconds_left(at("canary"), None, [at("done", number=1)], now=111.0) == pytest.approx(30 - 11 + 2)


def test_nobody_knows_without_budget_or_round_before_and_after_the_end() -> None:
    assert seconds_left(at("score"), None, [], now=110.0, canary=45.0) is None
    assert seconds_left(at("done"), None, [at("done", number=1)], now=110.0) is None


def test_what_a_round_did_not_end_says_nothing_of_the_next() -> None:
    broken = at("distil", number=1)
    broken.stages["distil"] = StageRecord(0.0, 3.0, "failed", {})
    assert seconds_left(at("distil"), None, [broken, at("done", number=0)], now=100.0) == pytest.approx(105)
