"""Round after round: records that are gone on with, and a table of what the live student kept."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from bench.page import table
from bench.recipes import RECIPES
from bench.rounds import asked_in, config_of, main, parsed, records, verdict
from bench.rounds_page import attribution
from bench.rounds_page import page as page_of_rounds
from bench.shop import new_kinds
from online_distill.role.config import TrainerConfig
from tests.deploy.life.judged import evaluation, rows
from understudy.errors import UsageError

TINY = ["--steps", "2", "--new", "24", "--general", "20", "--judge", "6", "--judge-new", "1", "--recipes", "default"]


@pytest.mark.timeout(600)
def test_a_series_that_was_stopped_goes_on_with_the_traffic_and_the_student_that_it_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = tmp_path / "rounds.json"
    kept = [*TINY, "--state", str(tmp_path / "state"), "--json", str(book)]
    assert main([*kept, "--rounds", "1"]) == 0
    [first] = records(book)
    assert [row["round"] for row in first["rows"]] == [0, 1]
    assert first["rows"][1]["did"]["train_known"] > 5
    assert len(first["rows"][1]["general_rows"]) == 6
    assert main([*kept, "--rounds", "2"]) == 0
    [both] = records(book)
    assert both["rows"][:2] == first["rows"]
    assert both["rows"][2]["round"] == 2
    assert both["rows"][2]["did"]["train_known"] > first["rows"][1]["did"]["train_known"]  # what was asked before, too
    served = json.loads((tmp_path / "state" / "default-0" / "shop.json").read_text())
    assert served["served"] == 2
    with pytest.raises(UsageError, match="holds 2 rounds of which --json knows 0"):
        main([*TINY, "--state", str(tmp_path / "state"), "--json", str(tmp_path / "other.json"), "--rounds", "1"])
    assert main([*kept, "--rounds", "2"]) == 0  # nothing is left to do
    assert records(book) == [both]
    assert "exact replies after each round" in capsys.readouterr().out


@pytest.mark.parametrize(("given", "named"), [(["--recipes", "default,fast"], "fast"), (["--seeds", "1,x"], "--seeds")])
def test_what_cannot_be_run_is_named(given: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(given)
    assert named in capsys.readouterr().err


def test_the_first_recipe_stands_before_its_own_gate(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(evaluation(*rows(200, lost=40)).model_dump_json())
    assert verdict(path, "v2", "first")[0]
    passed, why = verdict(path, "v2", "default")
    assert not passed
    assert verdict(path, "v2", "first")[1] == [f"today: {reason}" for reason in why]
    assert verdict(path, None, "default") == (False, ["the round made no candidate"])


def row(number: int, general: str, kind: float, **more: Any) -> dict[str, Any]:
    marks = {"exact": general.count("1") / len(general), "facts": 1.0}
    kinds = {"/".join(name): {"exact": kind} for name in new_kinds()}
    return {
        "round": number,
        "general": marks,
        "general_rows": general,
        "kinds": kinds,
        "did": {"token_seconds": 4e-4, "steps": 150},
    } | more


def test_the_page_says_what_the_live_student_lost_and_shows_refused_candidates() -> None:
    setting = {"steps": 2, "new": 40, "general": 30, "text_seconds": 0.19, "judge": 20, "judge_new": 2}
    found = [
        row(0, "1" * 20, 0.0),
        row(1, "1" * 19 + "0", 0.8, passed=True),
        row(2, "1" * 10 + "0" * 10, 0.9, passed=False) | {"did": {}},  # it ended before it had trained
    ]
    page = page_of_rounds(
        {"records": [{"recipe": "bold", "seed": 3, "settings": {"blend": 0.5}, **setting, "rows": found}]},
        table,
    )
    assert "| bold | 3 | 2 | 2 | 150 | 1 | 1.000 0.950 0.500! | +5.0 (at most 19.6) | 0.80 of 0.80 |" in page
    assert "| bold | blend 0.5 |" in page
    assert "2 steps a round, whatever time they take" in page


def test_rounds_of_steps_and_rounds_of_minutes_stand_in_tables_of_their_own_with_the_blends_that_were_chosen() -> None:
    setting = {"new": 40, "general": 30, "text_seconds": 0.19, "judge": 20, "judge_new": 2, "seed": 0}
    found = [row(0, "1" * 20, 0.0), row(1, "1" * 20, 0.8, passed=True)]
    found[1]["did"]["blend"] = 0.9
    steps = {"recipe": "fast", "steps": 150, "settings": {}, "rows": found, **setting}
    minutes = {"recipe": "blend", "steps": None, "minutes": 0.4, "settings": {"blends": [0.5, 0.9]}, "rows": found}
    page = page_of_rounds({"records": [steps, minutes | setting, steps | {"seed": 1}]}, table)
    by_steps, by_minutes = page.split("0.4 minutes of processor time")
    assert "150 steps a round" in by_steps
    assert by_steps.count("| fast |") == 2
    assert "| blend | 0 |" not in by_steps
    assert "| blend | 0 |" in by_minutes
    assert "Blends that were chosen, round by round: blend, seed 0: 0.9." in page


def test_a_round_of_minutes_ends_by_the_processors_clock_and_leaves_steps_open() -> None:
    options = parsed(["--minutes", "0.5", "--text-seconds", "0.1"])
    assert (options.steps, options.minutes) == (None, 0.5)
    config = config_of("replay 300 unbalanced", 3, options)
    assert (config.seed, config.max_replay, config.replay_balanced, config.max_steps) == (3, 300, False, None)
    pace = config.pace(9.0, 1e-4)
    assert (pace.seconds, pace.token_seconds, pace.clock) == (30.0, 1e-4, time.process_time)
    assert config_of("default", 0, parsed(["--steps", "7"])).recipe == TrainerConfig(min_steps=7, max_steps=7).recipe
    assert parsed(["--steps", "7"]).minutes is None


def test_every_recipe_is_one_that_the_trainer_takes_and_sets_something() -> None:
    settings = [config_of(recipe, 0, parsed([])) for recipe in RECIPES]
    assert len({one.model_dump_json() for one in settings}) == len(RECIPES)


def test_the_page_tells_what_a_round_learned_from_and_attributes_no_change_that_may_be_none() -> None:
    part = {"value": 0.5, "lower": 0.4, "upper": 0.6}
    values = {"": [0.1, 0.01], "hard": [0.6, 0.02]}
    none = {"value": 0.01, "lower": -0.02, "upper": 0.04}
    report = {
        "round": 1, "parent": "v1", "players": ["hard"], "same_weights": True,
        "coalitions": {"": {"seconds": 20.0, "weights": ""}, "hard": {"seconds": 100.0, "weights": "a"}},
        "figures": {
            "hard.exact": {"n": 40, "change": part, "attributed": True, "shapley": {"hard": part}, "values": values},
            "general.exact": {"n": 90, "change": none, "attributed": False, "shapley": {}, "values": values},
        },
    }  # fmt: skip
    text = attribution(report, table)
    assert "| hard, exact | 40 | +50.0 (+40.0 to +60.0) | +50.0 (+40.0 to +60.0) |" in text
    assert "| general, exact | 90 | +1.0 (-2.0 to +4.0) |  |" in text
    assert "| none | 10.0 | 10.0 |" in text
    assert "2 students, 2 minutes" in text
    assert "to the bit" in text


def test_a_quick_run_is_two_rounds_of_the_default_on_little_traffic() -> None:
    quick, whole = parsed(["--quick"]), parsed([])
    assert (quick.rounds, quick.recipes, quick.steps) == (2, "default", 60)
    assert (whole.rounds, whole.recipes.split(",")[0]) == (5, "default")
    assert all(getattr(quick, name) < getattr(whole, name) for name in ("new", "general", "judge", "judge_new"))


def test_the_new_kinds_come_one_after_another_each_gone_afterwards_and_then_all_together() -> None:
    kinds = new_kinds()
    assert len(set(kinds)) == 4
    assert [asked_in(number) for number in range(1, 5)] == [[kind] for kind in kinds]
    assert asked_in(5) == asked_in(6) == kinds
