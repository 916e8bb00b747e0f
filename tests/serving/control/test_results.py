"""Results of a running experiment: a decision and why, from what the workers counted; never a wrong "ship"."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feedback.events import Exchange, Kpi, PhaseArm, Verdict
from feedback.kpis.effects import verdict_effects
from feedback.store.config import RedisConfig
from feedback.store.keys import RedisKeys
from serving.control.app import create_app
from serving.control.pages.results import results_page
from serving.control.replies.results import ExperimentResultsReply
from serving.control.sources import Sources
from tests.deploy.fleet import World
from tests.feedback.applying import Applier, feedback
from tests.feedback.factory import exchange
from tests.serving.control.conftest import TOKEN
from understudy.config import Config

FILE: dict[str, Any] = {
    "id": "e", "arms": {"teacher": 0.5, "student": 0.5},
    "primary": {"kpi": "first_response_correct", "test": "non_inferiority", "margin": 0.012},
    "guardrails": [{"kpi": "abnormal_termination", "max_increase": 0.05}],
    "stop": {"planned_units": 20_000},
}  # fmt: skip
NOW = time.time()


def traffic(users: int, right: dict[str, float], bad: dict[str, float] | None = None, judged: bool = True) -> list[Any]:
    """Two requests of each user, every second user the student's, over the hours before now."""
    chance = random.Random(5)
    events: list[Exchange | Kpi] = []
    for user in range(users):
        arm = ("teacher", "student")[user % 2]
        for turn in range(2):
            n = 2 * user + turn
            broke = chance.random() < (bad or {}).get(arm, 0.01)
            at = NOW - 3600.0 * (40 - 40 * user / users) + turn
            events.append(
                exchange(n, unit=f"u{user}", session=f"s{user}", arm=arm, assigned=arm, experiment="e", at=at,
                         status=503 if broke else 200)
            )  # fmt: skip
        if judged:
            said = float(chance.random() < right[arm])
            events.append(feedback(n, said, f"session:s{user}", kpi="first_response_correct", at=NOW))
    return events


@pytest.fixture
def look(admin: TestClient, redis_url: str) -> Any:
    """Apply, count, look: the reply, and the page."""

    def run(events: list[Any], **changes: Any) -> tuple[dict[str, Any], str]:
        assert admin.put("/experiments/e", json={**FILE, **changes}).status_code == 200
        Applier(redis_url).events(events)
        answer = admin.get("/experiments/e/results")
        assert answer.status_code == 200, answer.text
        return answer.json(), results_page(ExperimentResultsReply.model_validate(answer.json()))

    return run


def test_it_says_in_one_sentence_what_holds_and_in_a_table_what_it_stands_on(look: Any) -> None:
    reply, page = look(traffic(1_200, {"teacher": 0.85, "student": 0.85}))
    first = page.splitlines()[0]
    assert first.startswith("keep running: the student answers right")
    assert first.endswith("the margin is 1.2")
    for words in (
        "first_response_correct  primary", "abnormal_termination", "non_inferiority 0.012", "1,200 of 20,000 planned",
        "as asked for", "what would change the answer", "18,800 more units", "users an arm missing",
    ):  # fmt: skip
        assert words in page, page
    assert reply["sample_ratio"]["p_fixed"] == pytest.approx(1.0)
    looks = reply["looks"]["student"]
    assert len(looks) > 30
    assert looks[-1]["units"] == reply["comparisons"][0]["primary"]["n"] == 1_200
    assert looks[-1]["effect"] == reply["comparisons"][0]["primary"]["effect"]
    widths = [one["upper"] - one["lower"] for one in looks if one["upper"] is not None]
    assert widths[-1] < widths[1]
    turns = next(row for row in reply["business"]["all"] if row["kpi"] == "session_turns")
    assert (turns["effect"], turns["old"]) == (0.0, 2.0)


def test_a_student_that_answers_wrong_or_breaks_off_is_stopped_for_harm(look: Any) -> None:
    reply, page = look(traffic(600, {"teacher": 0.9, "student": 0.5}))
    assert reply["decision"] == "stop for harm"
    assert page.startswith("stop for harm: the student answers right 3")
    assert "begin with another id" in page


def test_a_covariate_that_is_not_kept_of_units_changes_no_running_result_and_is_said(look: Any) -> None:
    events = traffic(600, {"teacher": 0.9, "student": 0.5})
    with_one, _ = look(events, primary={**FILE["primary"], "covariate": "before"})
    without, _ = look([])
    assert with_one["comparisons"] == without["comparisons"]
    assert "without the covariate before" in with_one["outlook"][-1]


def test_a_guardrail_is_harm_whatever_the_primary_kpi_says(look: Any) -> None:
    reply, _ = look(traffic(600, {"teacher": 0.5, "student": 0.9}, {"teacher": 0.01, "student": 0.4}))
    assert (reply["decision"], "abnormal_termination" in reply["why"]) == ("stop for harm", True)


def test_a_kpi_that_nobody_sends_an_arm_without_traffic_and_no_traffic_at_all_are_named(look: Any) -> None:
    reply, page = look([])
    assert (reply["decision"], "exposed to teacher nor to student" in reply["why"]) == ("not enough data", True)
    reply, page = look(traffic(60, {}, judged=False))
    assert (reply["decision"], reply["why"]) == (
        "not enough data", "nobody has sent first_response_correct yet: `POST /v1/feedback` brings it",
    )  # fmt: skip
    assert "first_response_correct: nothing is concluded before each arm has enough units with it" in page


def test_only_one_arm_with_traffic_is_never_shipped(look: Any) -> None:
    events = [one for one in traffic(900, {"teacher": 0.5, "student": 1.0}) if getattr(one, "arm", "") != "teacher"]
    reply, _ = look(events)
    assert reply["decision"] == "sample-ratio alarm"


def test_units_in_other_shares_than_asked_for_are_an_alarm(look: Any) -> None:
    reply, page = look(traffic(2_000, {"teacher": 0.8, "student": 0.8}), arms={"teacher": 0.8, "student": 0.2})
    assert reply["decision"] == "sample-ratio alarm"
    assert "ALARM" in page


def test_without_a_primary_kpi_there_is_no_chart_and_no_decision(look: Any) -> None:
    reply, _ = look(traffic(60, {"teacher": 0.8, "student": 0.8}), primary=None)
    assert (reply["decision"], reply["looks"]) == ("keep running", {})


def test_without_redis_nothing_is_decided_and_it_says_so(world: World) -> None:
    away = Sources(Config({}), RedisConfig(url="redis://127.0.0.1:1"))
    headers = {"authorization": f"Bearer {TOKEN}"}
    with TestClient(create_app(world.conductor, away, TOKEN), "http://t/admin/v1", headers=headers) as admin:
        assert admin.put("/experiments/e", json=FILE).status_code == 200
        answer = admin.get("/experiments/e/results")
    assert answer.status_code == 503
    assert "no decision on e" in answer.json()["error"]["message"]


def test_a_plan_from_what_was_counted_stands_beside_what_is_applied(admin: TestClient, redis_url: str) -> None:
    empty = admin.put("/experiments/e", json=FILE).json()
    assert (empty["plan"], "no plan: a plan needs two arms" in empty["warnings"][-1]) == (None, True)
    Applier(redis_url).events(traffic(600, {"teacher": 0.85, "student": 0.85}))
    applied = admin.put("/experiments/e", json=FILE).json()
    plan = applied["plan"]
    assert (plan["units_of_history"], plan["planned_units"]) == (600, 20_000)
    assert plan["days"] == pytest.approx(plan["units"] / (300 * 24 / 41), rel=0.05)
    assert f"{plan['units']:,} would have 80 %" in applied["warnings"][-1]
    asked = admin.post("/experiments/plan?power=0.8", json=FILE).json()
    assert asked == plan
    enough = admin.put("/experiments/e", json={**FILE, "stop": {"planned_units": plan["units"]}}).json()
    assert enough["warnings"] == []
    assert admin.post("/experiments/plan", json={**FILE, "primary": {"kpi": "click"}}).status_code == 400


SHIPS: dict[str, Any] = {
    **FILE, "primary": {"kpi": "first_response_correct", "test": "superiority"},
    "guardrails": [{"kpi": "latency_p99", "max_ratio": 1.5}], "stop": {"planned_units": 2_000},
}  # fmt: skip


def timed(users: int, slow: float, limit: float) -> list[Any]:
    """Traffic of phase 1, in which the student is right more often and a share `slow` of its users waits beyond."""
    chance = random.Random(7)
    found = []
    for one in traffic(users, {"teacher": 0.6, "student": 0.9}, {"teacher": 0.0, "student": 0.0}):
        if isinstance(one, Exchange):
            late = one.arm == "student" and chance.random() < slow
            part = PhaseArm(experiment="e", phase=1, arm=one.arm, slow=(("latency_p99", limit),))
            one = one.model_copy(update={"experiments": (part,), "seconds": 2 * limit if late else limit / 2})
        found.append(one)
    return found


def test_a_guardrail_on_the_slowest_requests_ships_stops_or_waits_for_its_limit(
    admin: TestClient, redis_url: str, world: World
) -> None:
    world.known.timings["external"] = 0.8
    assert admin.put("/experiments/e", json=SHIPS).status_code == 200
    shown = admin.get("/experiments/e").json()["phases"][0]
    limit = shown["slow"]["latency_p99"]
    assert limit == pytest.approx(1.5 * 0.8)
    Applier(redis_url).events(timed(1_200, 0.0, limit))
    reply = admin.get("/experiments/e/results").json()
    rail = reply["comparisons"][0]["guardrails"][0]
    assert (reply["decision"], rail["verdict"], rail["limit"]) == ("ship", "safe", "max_ratio 1.5")


def test_slow_requests_of_the_new_arm_are_harm(look: Any) -> None:
    reply, page = look(timed(1_200, 0.2, 1.2), **{key: SHIPS[key] for key in ("primary", "guardrails", "stop")})
    assert reply["decision"] == "stop for harm"
    assert page.startswith("stop for harm: student: latency_p99 is worse by")


def test_an_arm_that_follows_does_not_ship_on_phases_of_a_former_version(
    admin: TestClient, redis_url: str, world: World
) -> None:
    assert admin.put("/experiments/e", json={**SHIPS, "guardrails": []}).status_code == 200
    Applier(redis_url).events(timed(1_200, 0.0, 1.2))
    assert admin.get("/experiments/e/results").json()["decision"] == "ship"
    world.conductor.deployment.change(stable="v9")
    later = admin.get("/experiments/e/results").json()
    assert later["decision"] == "keep running"
    assert "not yet shown on the live version" in later["why"]


def same_prompts(world: World, count: int) -> list[Verdict]:
    """Shadow pairs of users of phase 1, two each; on a third of the prompts the student's reply scores less."""
    chance, student = random.Random(3), str(world.conductor.deployment.state.stable)
    return [
        Verdict(
            id=f"d{n}", session="s", at=NOW, exchange=f"x{n}", teacher="external", student=student, unit=f"u{n // 2}",
            similarity=0.9, checked=("quality",), quality_teacher=(score := chance.uniform(0.2, 0.9)),
            quality_student=score - chance.choice((0.0, 0.0, 0.04)),
            experiments=(PhaseArm(experiment="e", phase=1, arm="teacher"),),
        )
        for n in range(count)
    ]  # fmt: skip


def test_pairs_on_the_same_prompts_stand_beside_the_split_test(admin: TestClient, redis_url: str, world: World) -> None:
    assert admin.put("/experiments/e", json=SHIPS).status_code == 200
    Applier(redis_url).commands([verdict_effects(RedisKeys(), one) for one in same_prompts(world, 600)])
    reply = admin.get("/experiments/e/results").json()
    (pairs,) = reply["paired"]
    assert (pairs["prompts"], pairs["users"], pairs["verdict"], pairs["better"]) == (600, 300, "worse", 0)
    assert 150 < pairs["differing"] < 250
    assert pairs["upper"] < 0
    assert pairs["split"] > 50
    page = results_page(ExperimentResultsReply.model_validate(reply))
    line = next(line for line in page.splitlines() if line.startswith("same prompts"))
    assert "on 600 prompts of 300 users both replied" in line
    assert "the quality of student is 0.01" in line
    assert f"a split test would need {pairs['split']:.1f} times the prompts" in line


def test_units_in_two_arms_are_shown_and_what_came_after_the_change_moves_nothing(
    admin: TestClient, redis_url: str
) -> None:
    assert admin.put("/experiments/e", json={**SHIPS, "guardrails": []}).status_code == 200
    applier = Applier(redis_url)
    events = timed(1_200, 0.0, 1.2)
    over = [
        one.model_copy(update={"id": f"{one.id}-over", "arm": "student", "response_id": None,
                               "experiments": (PhaseArm(experiment="e", phase=1, arm="student"),)})
        for one in events if isinstance(one, Exchange) and one.arm == "teacher"
    ]  # fmt: skip
    looks = []
    for part in (events, over[::2]):
        applier.events(part)
        looks.append(admin.get("/experiments/e/results").json())
    before, after = looks
    assert (before["two_arms"], after["two_arms"], after["reached_units"]) == (0, 600, 1_200)
    for key in ("comparisons", "sample_ratio", "decision", "business"):
        assert after[key] == before[key], key
    pages = [results_page(ExperimentResultsReply.model_validate(one)) for one in looks]
    told = "units in two arms 600: each counts for its first, up to the change"
    assert [told in page for page in pages] == [False, True]


def test_lines_of_business_have_a_table_each_and_contribute_to_the_whole(look: Any) -> None:
    """The student is worse in the shop, where a third of the users ask; it is as good in the bank."""
    chance = random.Random(6)
    events: list[Any] = []
    for n in range(1_200):
        arm, line = ("teacher", "student")[n % 2], "shop" if n % 3 == 0 else "bank"
        part = (PhaseArm(experiment="e", phase=1, arm=arm),)
        at = NOW - 3600.0 * (60 - n // 20)
        events.append(exchange(n, unit=f"u{n}", session=f"s{n}", arm=arm, experiments=part, line=line, at=at))
        said = float(chance.random() < (0.3 if (arm, line) == ("student", "shop") else 0.8))
        events.append(feedback(n, said, f"session:s{n}", kpi="first_response_correct", at=NOW))
    reply, page = look(events)
    tables = {
        line: next(row for row in rows if row["kpi"] == "first_response_correct")
        for line, rows in reply["business"].items()
    }
    assert {line: row["n"] for line, row in tables.items()} == {"all": 1_200, "bank": 800, "shop": 400}
    assert tables["shop"]["upper"] < -0.1
    assert tables["bank"]["effect"] == pytest.approx(0.0, abs=0.1)
    told = next(one for one in reply["contributions"] if one["kpi"] == "first_response_correct")
    bank, shop = told["lines"]
    assert (bank["line"], shop["line"]) == ("bank", "shop")
    assert shop["share"] == pytest.approx(1 / 3, abs=0.01)
    assert shop["value"] == pytest.approx(shop["share"] * tables["shop"]["effect"])
    assert told["effect"] == pytest.approx(reply["comparisons"][0]["primary"]["effect"])
    assert bank["value"] + shop["value"] + told["composition"] == pytest.approx(told["effect"])
    assert abs(told["composition"]) < 0.01
    lines = [line.split() for line in page.splitlines()]
    assert ["first_response_correct", "student", "shop", "33.3%"] in [words[:4] for words in lines]
    assert any(words[:3] == ["shop", "first_response_correct", "student"] for words in lines)
    assert "contributions of lines to the effects: where they come from, not why" in page


def test_without_lines_of_business_nothing_is_said_of_any(look: Any) -> None:
    reply, page = look(traffic(60, {"teacher": 0.8, "student": 0.8}))
    assert (list(reply["business"]), reply["contributions"], "contributions" in page) == (["all"], [], False)
