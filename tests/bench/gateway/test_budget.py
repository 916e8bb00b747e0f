"""The budget of an exchange, on a real spool and real texts; how long anything takes is no matter of a test."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from bench.gateway import budget
from bench.gateway.candidates.starting import ALL, BARE, UNGUARDED


def test_every_step_costs_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "EXCHANGES", 20)
    found = asdict(budget.costs(tmp_path))
    assert found.keys() == budget.STEPS.keys()
    assert min(found.values()) > 0


def test_the_steps_and_what_is_left_add_up() -> None:
    steps = dict.fromkeys(budget.STEPS, 10.0)
    rates = {BARE: (100.0, 0.0), UNGUARDED: (150.0, 90.0), ALL: (180.0, 100.0)}
    held = {name: {"cpu_loop": loop, "cpu_others": others} for name, (loop, others) in rates.items()}
    report = {"parts": {"budget": {"steps": {ALL: steps}}, "rates": {"held": held}}}
    shown = [float(micros) for _, micros in budget.rows(report, "held")]
    assert shown == [100, 50, 10, 30, 10, 10, 10, 10, 10, 10, 40, 280]
    assert budget.rows({"parts": {"rates": {"held": held}}}, "held") == []
    alone = budget.rows({"parts": {"budget": {"steps": {ALL: steps}}}}, "held")
    assert alone == [(told, "10") for told in budget.STEPS.values()]
