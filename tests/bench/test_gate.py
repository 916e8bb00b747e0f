"""What the gate lets pass: the demands on it, by simulation of the deployed rule."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from bench.gate import CASES, Scenario, draw, first, main, measure
from tests.deploy.life.judged import WRONG, evaluation, learned, rows


def passes(case: Scenario, runs: int) -> dict[str, float]:
    return {row["rule"]: row["passes"] for row in measure(case, runs, seed=7)}


def case(net: float, name: str = "loss") -> Scenario:
    return next(one for one in CASES if one.name == name and one.net == pytest.approx(net))


@pytest.mark.parametrize(
    ("net", "least", "most"), [(0.0, 0.95, 1.0), (0.03, 0.0, 0.07), (0.05, 0.0, 0.01), (0.2, 0.0, 0.0)]
)
def test_losses_are_seen_at_400_rows_and_equals_pass(net: float, least: float, most: float) -> None:
    """Seed 7, 200 runs."""
    found = passes(case(net), 200)
    assert least <= found["default"] <= most
    assert found["first"] == 1.0  # the rule of the first loop saw none of them


def test_a_loss_in_one_kind_is_seen_by_its_clause() -> None:
    """Seed 7, 300 runs of 1,000 rows."""
    found = passes(case(0.016, "one kind"), 300)
    assert found["default"] <= 0.02
    assert found["no kinds"] > found["default"]


def test_wins_on_a_new_kind_hide_losses_from_all_clauses_but_one() -> None:
    """Seed 7, 200 runs of 240 known rows beside 160 new ones, half of which the candidate wins."""
    found = passes(case(0.05, "beside a new kind"), 200)
    assert found["default"] <= 0.05
    assert found["no known"] >= 0.9
    assert passes(case(0.0, "beside a new kind"), 200)["default"] >= 0.9


def test_a_case_draws_the_rows_and_losses_that_it_names() -> None:
    """Seed 1, 20 draws of 1,000 rows: 1.6 points and what chance adds, give or take 4 standard errors."""
    one = case(0.016, "one kind")
    assert sum(n for _, n, _ in one.kinds()) == one.n
    assert sum(n * loss for _, n, loss in one.kinds()) / one.n == pytest.approx(one.loss)
    chance = random.Random(1)
    lost = [sum(not row.candidate.exact for row in draw(one, chance).of("general")) for _ in range(20)]
    assert sum(lost) / 20 / one.n == pytest.approx(one.loss, abs=4 * (0.021 / one.n / 20) ** 0.5)


def test_the_rule_of_the_first_loop_is_as_it_was() -> None:
    assert first(evaluation(*rows(100, lost=40)))  # two of five replies broken
    assert not first(evaluation(*rows(9)))
    assert not first(evaluation(*rows(400), hard=learned(gain=False)))
    assert not first(evaluation(*rows(400, lost=400, after=WRONG.model_copy(update={"agreement": 0.96}))))


def test_the_report_has_a_row_for_each_case_and_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "1", "--json", str(tmp_path / "gate.json")]) == 0
    report = json.loads((tmp_path / "gate.json").read_text())
    assert {"rule", "n", "loss", "gain", "passes"} <= set(report["rows"][0])
    assert {row["rule"] for row in report["rows"]} == {"default", "first", "no kinds", "no known"}
    assert "passes" in capsys.readouterr().out
