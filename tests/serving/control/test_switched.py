"""Experiments whose switches are turned on and off for users: attributed, refused, warned about."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ab.commands import assign
from ab.experiment import Experiment
from ab.files import read_experiment
from ab.running.phases import AppliedExperiment
from deploy.life.running.guarded import NEVER_COPIED
from deploy.routing.document import RoutingDocument
from feedback.events import Exchange, Kpi, PhaseArm
from serving.control.pages.results import results_page
from serving.control.replies.results import ExperimentResultsReply
from serving.gateway.routing import Ask, taking_part
from tests.feedback.applying import Applier, feedback
from tests.feedback.factory import exchange
from tests.feedback.kpis.test_degraded import served, turned_away
from tests.serving.control.conftest import ROOT

NOW = time.time()
RIGHT = {"none": 0.8, "candidate": 0.8, "routing": 0.3, "routing+candidate": 0.4}


def crossed(users: int, experiment: str = "e") -> list[Any]:
    """Users of the four cells in turn, each with one request and one judgement."""
    chance = random.Random(8)
    events: list[Exchange | Kpi] = []
    for n in range(users):
        cell = list(RIGHT)[n % 4]
        part = (PhaseArm(experiment=experiment, phase=1, arm=cell),)
        events.append(exchange(n, unit=f"u{n}", session=f"s{n}", experiments=part, at=NOW - 60))
        said = float(chance.random() < RIGHT[cell])
        events.append(feedback(n, said, f"session:s{n}", kpi="first_response_correct", at=NOW))
    return events


def test_a_factorial_of_live_users_is_attributed_to_its_switches(admin: TestClient, redis_url: str) -> None:
    file = {"id": "e", "switches": {"routing": 0.5, "candidate": 0.5}, "primary": {"kpi": "first_response_correct"},
            "secondary": [{"kpi": "takeover"}], "stop": {"planned_units": 1_000}}  # fmt: skip
    assert admin.put("/experiments/e", json=file).status_code == 200
    shown = admin.get("/experiments/e").json()
    assert shown["arms"]["routing+candidate"] == {"share": 0.25, "serve": "candidate"}
    assert list(shown["phases"][0]["switches"]) == ["routing", "candidate"]
    Applier(redis_url).events(crossed(800))
    answer = admin.get("/experiments/e/results").json()
    assert answer["sample_ratio"]["verdict"] == "fits"
    told, takeover = answer["attribution"]
    assert told["attributed"] is True
    assert told["shapley"]["routing"]["value"] == pytest.approx(-0.45, abs=0.1)
    assert told["shapley"]["routing"]["upper"] < 0
    assert told["sum"] == pytest.approx(told["change"]["effect"])
    assert told["values"]["routing,candidate"][0] == pytest.approx(0.4, abs=0.1)
    assert (takeover["attributed"], takeover["shapley"]) == (False, {})
    page = results_page(ExperimentResultsReply.model_validate(answer))
    for words in ("attribution of first_response_correct", "contribution", "attribution of takeover: each cell needs"):
        assert words in page, page


def test_a_factorial_of_other_switches_is_refused_once_it_has_units(admin: TestClient, redis_url: str) -> None:
    assert admin.put("/experiments/e", json={"id": "e", "switches": {"routing": 0.5, "candidate": 0.5}}).is_success
    Applier(redis_url).events(crossed(8))
    answer = admin.put("/experiments/e", json={"id": "e", "switches": {"routing": 0.5}})
    assert (answer.status_code, "`switches` would change" in answer.text) == (409, True)
    wrong = admin.put("/experiments/f", json={"id": "f", "switches": {"gaurd": 0.5}})
    assert (wrong.status_code, "switches" in wrong.text) == (422, True)
    assert "'routing', 'candidate' or 'guard'" in wrong.text


def test_one_that_turns_the_guard_off_warns_and_its_results_say_what_copies_cannot(
    admin: TestClient, redis_url: str
) -> None:
    file = {"id": "g", "switches": {"guard": 0.5}, "primary": {"kpi": "degraded_replies"}}
    warned = admin.put("/experiments/g", json=file).json()["warnings"]
    assert any("changes nothing" in line for line in warned)
    assert admin.post("/guard", json={"mode": "enforce"}).is_success
    again = admin.put("/experiments/g", json=file).json()["warnings"]
    assert not any("changes nothing" in line for line in again)
    Applier(redis_url).events([turned_away(1, unit="a"), served(2, "none", unit="b")])
    answer = admin.get("/experiments/g/results").json()
    assert {arm: one["units"] for arm, one in answer["arms"].items()} == {"none": 1, "guard": 1}
    assert NEVER_COPIED in answer["outlook"]
    assert (answer["copies"], answer["paired"]) == ([], [])


def test_what_show_prints_of_three_switches_is_what_assign_reads(
    admin: TestClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each unit's cell, recomputed from the phase, is the one in which the router holds it."""
    file = {"id": "g", "switches": {"routing": 0.5, "candidate": 0.5, "guard": 0.2}}
    assert admin.put("/experiments/g", json=file).is_success
    assert admin.put("/experiments/g", json={**file, "switches": {**file["switches"], "guard": 0.3}}).is_success
    shown, units = tmp_path / "shown.json", tmp_path / "units.txt"
    shown.write_text(admin.get("/experiments/g").text, "utf-8")
    units.write_text("".join(f"u{n}\n" for n in range(300)), "utf-8")
    assert assign([str(shown), "--units", str(units)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    applied = AppliedExperiment.model_validate_json(shown.read_text("utf-8"))
    document = RoutingDocument(experiments=(Experiment.model_validate(file),), phases={"g": applied.phases[-1]})
    for line in lines:
        ((_, part),) = taking_part(document, Ask("auto", "s", "r", user=line["unit"]), None)
        assert (part.arm, part.guarded) == (line["arm"], "guard" in line["arm"].split("+"))
        assert part.guarded == (not 0.2 <= line["buckets"]["guard"] < 0.9), "the end of what was off moved"
    assert 0.2 < sum("guard" in line["arm"] for line in lines) / 300 < 0.4


def test_the_example_of_the_documentation_applies(admin: TestClient) -> None:
    example = read_experiment(ROOT / "docs" / "examples" / "attribution-guard.yaml")
    given = example.model_dump(mode="json", exclude_none=True)
    assert admin.put(f"/experiments/{example.id}", json=given).is_success
