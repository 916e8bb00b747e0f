"""What users did before they came to a running experiment narrows its result, and the result says so."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ab.experiment import Experiment
from feedback.events import PhaseArm
from serving.control.pages.results import results_page
from serving.control.replies.results import ExperimentResultsReply
from tests.feedback.applying import Applier, feedback
from tests.feedback.factory import exchange
from tests.serving.control.test_results import FILE

NOW = time.time()
COVARIATE = {"primary": {**FILE["primary"], "covariate": "first_response_correct_before"}}
ADJUSTED = Experiment.model_validate({**FILE, **COVARIATE})


def returning(users: int, past: bool = True) -> list[Any]:
    """Users who are right or wrong as they ever were; of every fifth nothing is known. The student changes nothing."""
    chance = random.Random(9)
    events: list[Any] = []
    for user in range(users):
        arm, habit = ("teacher", "student")[user % 2], chance.random()
        for turn in range(5):
            n, begun = 100_000 + 10 * user + turn, turn == 4
            at = NOW - 3600.0 * (40 - 40 * user / users) - (0 if begun else 9e4 - turn)
            said = float(chance.random() < habit)
            if not (begun or (past and user % 5)):
                continue
            part = (PhaseArm(experiment="e", phase=1, arm=arm, covariates=ADJUSTED.frozen),) if begun else ()
            events.append(exchange(n, unit=f"known{user}", session=f"s{n}", arm=arm, experiments=part, at=at))
            events.append(feedback(n, said, f"session:s{n}", kpi="first_response_correct", at=at + 1))
    return events


def looked(admin: TestClient, file: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Apply and look: the reply, and the page."""
    assert admin.put("/experiments/e", json=file).status_code == 200
    answer = admin.get("/experiments/e/results")
    assert answer.status_code == 200, answer.text
    return answer.json(), results_page(ExperimentResultsReply.model_validate(answer.json()))


def test_what_users_did_before_narrows_a_running_result_and_it_says_by_how_much(
    admin: TestClient, redis_url: str
) -> None:
    Applier(redis_url).events(returning(400))
    reply, page = looked(admin, {**FILE, **COVARIATE})
    primary = reply["comparisons"][0]["primary"]
    told = primary["adjusted"]
    assert (primary["n"], told["units"], told["covariate"]) == (400, 320, "first_response_correct_before")
    assert 0.1 < told["variance_reduced"] < 0.35
    words = f"adjusted for first_response_correct_before (variance reduced by {100 * told['variance_reduced']:.0f} %)"
    assert page.splitlines()[0].endswith(f"the margin is 1.2, {words}")
    assert f"first_response_correct: {words}, which 320 of 400 units have" in page
    assert reply["looks"]["student"][-1]["lower"] == primary["lower"]
    plain, _ = looked(admin, FILE)
    other = plain["comparisons"][0]["primary"]
    width = [one["upper"] - one["lower"] for one in (primary, other)]
    assert (width[0] / width[1]) ** 2 == pytest.approx(1 - told["variance_reduced"], rel=1e-6)
    assert (other.get("adjusted"), "adjusted" in plain["why"]) == (None, False)
    assert plain["business"] == reply["business"], "the business table is of what was, not adjusted"


def test_of_users_without_a_past_nothing_is_adjusted_and_it_says_so(admin: TestClient, redis_url: str) -> None:
    Applier(redis_url).events(returning(100, past=False))
    reply, page = looked(admin, {**FILE, **COVARIATE})
    told = reply["comparisons"][0]["primary"]["adjusted"]
    assert (told["units"], told["variance_reduced"]) == (0, 0.0)
    assert "not adjusted: no unit has a first_response_correct_before" in page
    assert "adjusted" not in page.splitlines()[0]
