"""An experiment turns the guard off for some of its users: what they get, what is counted, and what nobody learns."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from ab.experiment import Experiment, Primary, Stop
from ab.running.phases import Phase, assigned, begun
from deploy.routing.document import RoutingDocument
from deploy.routing.guarding import AllowRule, GuardRules
from feedback.flagged.config import FlaggedConfig
from feedback.kpis.config import KpisConfig
from feedback.kpis.ratios import ratios
from feedback.shadow.pairing import Arms, wanted
from serving.control.results import results
from serving.gateway.guarding.watch import GuardWatch
from serving.guard.config import GuardConfig
from tests.feedback.applying import Applier
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine
from tests.serving.guard.words import ATTACK, DOUBTFUL, HARMLESS, WordModel

Serve = Callable[..., Running]
Make = Callable[..., Engine]
ALONE = Experiment.model_validate({"id": "g", "switches": {"guard": 0.5}})
CROSSED = Experiment.model_validate({"id": "g", "switches": {"routing": 0.5, "guard": 0.5}})
OBSERVED = Experiment.model_validate({"id": "aa", "layer": "observe", "arms": {"left": 0.5, "right": 0.5}})


def cell(user: str, experiment: Experiment = ALONE, phase: Phase | None = None) -> str:
    """What `experiment assign` says of a user."""
    found = assigned(experiment, phase or begun(experiment), user).arm
    assert found is not None
    return found


def of(name: str, experiment: Experiment = ALONE, skip: int = 0) -> str:
    """A user of a cell."""
    users = (f"user-{n}" for n in range(1000))
    return [user for user in users if cell(user, experiment) == name][skip]


def guarded(
    serve: Serve, engines: dict[str, Engine], *experiments: Experiment, kept: int = 60, **settings: Any
) -> Running:
    """A gateway whose guard knows a few words."""
    running = serve(document(engines, experiments=experiments))
    config = GuardConfig.model_validate({"mode": "enforce", "deadline_ms": 10_000, **settings})
    running.gateway.guard = GuardWatch(config, WordModel(), kept=FlaggedConfig(degraded_per_minute=kept))
    return running


def asked(running: Running, text: str, user: str, **fields: Any) -> dict[str, str]:
    """Headers of what a user gets."""
    status, headers, _ = running.client.chat(text, headers={"x-understudy-user": user, **fields.pop("headers", {})})
    assert status == 200
    return headers


def exposed(running: Running) -> list[tuple[str, str, str]]:
    return [(one.experiment, one.unit, one.arm) for one in running.spool.exposures]


def test_where_it_is_off_an_attack_is_served_and_where_it_is_on_it_is_not(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, {"teacher": teacher}, ALONE)
    on, off = of("guard"), of("none")
    got = asked(running, ATTACK, off)
    assert (got["x-understudy-arm"], got["x-understudy-experiment"]) == ("teacher", "g")
    assert "x-understudy-degraded" not in got
    got = asked(running, ATTACK, on)
    assert got["x-understudy-degraded"] == "guard"
    assert not {"x-understudy-arm", "x-understudy-version", "x-understudy-experiment"} & got.keys()
    assert len(teacher.seen) == 1
    assert exposed(running) == [("g", off, "none"), ("g", on, "guard")]
    assert running.gateway.guard is not None
    assert running.gateway.guard.guard.counts.verdicts == {
        ("switched_off", "degrade", "model"): 1, ("enforce", "degrade", "model"): 1,
    }  # fmt: skip


def test_what_an_attacker_says_teaches_nobody_whichever_way_the_guard_is_switched(
    serve: Serve, teacher: Engine
) -> None:
    running = guarded(serve, {"teacher": teacher}, ALONE)
    for user in (of("none"), of("guard")):
        for text in (HARMLESS, ATTACK, HARMLESS):
            asked(running, text, user, headers={"x-understudy-session": f"s-{user}"})
        asked(running, DOUBTFUL, user)
        asked(running, HARMLESS, user, headers={"x-understudy-session": f"fresh-{user}"})
    exchanges = running.spool.exchanges
    assert [one.flagged for one in exchanges] == [False, True, True, True, False] * 2
    assert [bool(one.guard_stage) for one in exchanges] == [False, True, False, True, False] * 2
    arms = Arms(to_student=1.0, to_teacher=1.0)
    assert [wanted(one, arms) for one in exchanges] == [True, False, False, False, True] * 2


def test_a_request_that_could_not_be_judged_in_time_is_served_and_teaches_nobody(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, {"teacher": teacher}, ALONE, deadline_ms=1e-6)
    assert asked(running, HARMLESS * 400, of("guard"))["x-understudy-degraded"] == "deadline"
    assert asked(running, HARMLESS * 400, of("none"))["x-understudy-arm"] == "teacher"
    assert [(one.degraded, one.flagged) for one in running.spool.exchanges] == [("deadline", True), ("", True)]
    assert exposed(running) == [("g", of("guard"), "guard"), ("g", of("none"), "none")]


def test_each_unit_is_exposed_once_however_many_of_its_requests_are_degraded(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, {"teacher": teacher}, ALONE)
    on = of("guard")
    for text in (ATTACK, f"{ATTACK} again", HARMLESS, ATTACK):
        asked(running, text, on)
    assert exposed(running) == [("g", on, "guard")]
    assert running.gateway.metrics.exposures == {("g", "guard"): 1}
    events = running.spool.exchanges
    assert [(one.degraded, one.unit, one.schema_version) for one in events] == [
        ("guard", on, 3), ("guard", on, 3), ("", on, 1), ("guard", on, 3),
    ]  # fmt: skip
    assert [[(part.experiment, part.arm) for part in one.experiments] for one in events] == [[("g", "guard")]] * 4
    assert all(one.seconds > 0 for one in events)


def test_for_every_other_experiment_a_degraded_reply_stays_without_exposure(serve: Serve, teacher: Engine) -> None:
    plain = Experiment.model_validate({"id": "g", "arms": {"a": {"share": 1.0, "serve": "teacher"}}})
    running = guarded(serve, {"teacher": teacher}, plain, OBSERVED)
    asked(running, ATTACK, "u")
    (event,) = running.spool.exchanges
    assert (exposed(running), event.experiments, event.schema_version) == ([], (), 2)
    beside = guarded(serve, {"teacher": teacher}, ALONE, OBSERVED)
    on = of("guard")
    asked(beside, ATTACK, on)
    assert exposed(beside) == [("g", on, "guard")]
    asked(beside, HARMLESS, on)
    assert sorted(exposed(beside)) == [("aa", on, cell(on, OBSERVED)), ("g", on, "guard")]


def test_every_cell_gets_its_answerer_and_its_guard(serve: Serve, engine: Make) -> None:
    running = guarded(serve, both(engine), CROSSED)
    for name, arm in (("none", "teacher"), ("routing", "student"), ("guard", "teacher"), ("routing+guard", "student")):
        user = of(name, CROSSED)
        assert asked(running, HARMLESS, user)["x-understudy-arm"] == arm
        got = asked(running, ATTACK, user)
        assert got.get("x-understudy-degraded") == ("guard" if "guard" in name else None)
        assert got.get("x-understudy-arm") == (None if "guard" in name else arm)
    for event in running.spool.exchanges:
        assert [part.arm for part in event.experiments] == [cell(event.unit, CROSSED)]


def test_the_guard_alone_leaves_it_to_the_router_who_answers(serve: Serve, engine: Make) -> None:
    running = serve(document(both(engine), experiments=(ALONE,), default={"student": 1.0}))
    for name in ("none", "guard"):
        assert asked(running, HARMLESS, of(name))["x-understudy-arm"] == "student"
    (first, _) = running.spool.exchanges
    assert (first.experiment, [part.experiment for part in first.experiments]) == (None, ["g"])


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_a_tenant_whose_guard_does_not_enforce_is_not_touched(serve: Serve, teacher: Engine, mode: str) -> None:
    running = guarded(serve, {"teacher": teacher}, ALONE, mode=mode)
    for name in ("none", "guard"):
        assert "x-understudy-degraded" not in asked(running, ATTACK, of(name))
    assert [one.flagged for one in running.spool.exchanges] == [False, False]
    assert exposed(running) == [("g", of("none"), "none"), ("g", of("guard"), "guard")]


def test_an_operators_exception_holds_on_both_sides(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, {"teacher": teacher}, ALONE)
    rules = GuardRules(allow=(AllowRule(id="a", until=1e12, tenant="default"),))
    assert running.snapshot.offer(document({"teacher": teacher}, epoch=2, guard=rules, experiments=(ALONE,)))
    for name in ("none", "guard"):
        assert asked(running, ATTACK, of(name))["x-understudy-arm"] == "teacher"
    assert [one.flagged for one in running.spool.exchanges] == [False, False]


def test_who_had_to_be_derived_keeps_the_guard_and_testers_are_switched_uncounted(
    serve: Serve, teacher: Engine
) -> None:
    forced = Experiment.model_validate({"id": "g", "switches": {"guard": 0.01}, "force": {"tester": "none"}})
    mostly_off = Experiment.model_validate({"id": "g", "switches": {"guard": 0.001}})
    running = guarded(serve, {"teacher": teacher}, forced)
    assert asked(running, ATTACK, "tester")["x-understudy-arm"] == "teacher"
    running.snapshot.offer(document({"teacher": teacher}, epoch=2, experiments=(mostly_off,)))
    assert running.client.chat(ATTACK)[1]["x-understudy-degraded"] == "guard"
    assert exposed(running) == []
    tester, derived = running.spool.exchanges
    assert (tester.flagged, tester.experiments, derived.experiments) == (True, (), ())


def attacks(running: Running, user: str, number: int) -> list[str | None]:
    return [asked(running, f"{ATTACK} {user} {place}", user).get("x-understudy-degraded") for place in range(number)]


def test_no_breaker_opens_for_who_has_the_guard_off_and_one_that_is_open_counts_on_the_other_side(
    serve: Serve, teacher: Engine
) -> None:
    running = guarded(serve, {"teacher": teacher}, ALONE, kept=2)
    on, off = of("guard"), of("none")
    assert attacks(running, off, 8) == [None] * 8
    assert running.gateway.breakers().open == 0
    assert attacks(running, on, 7) == ["guard"] * 5 + ["breaker"] * 2
    events = [one for one in running.spool.exchanges if one.unit == on]
    assert [(one.degraded, bool(one.messages), bool(one.guard_stage), one.flagged) for one in events] == [
        *[("guard", True, True, True)] * 2, *[("guard", False, False, True)] * 3,
        *[("breaker", False, False, True)] * 2,
    ]  # fmt: skip
    assert all([part.arm for part in one.experiments] == ["guard"] for one in events)
    assert exposed(running) == [("g", off, "none"), ("g", on, "guard")]


def test_a_user_whom_the_teacher_alone_answers_counts_for_the_cell(serve: Serve, engine: Make) -> None:
    running = guarded(serve, both(engine), CROSSED, breaker={"action": "teacher"})
    user = of("routing+guard", CROSSED)
    attacks(running, user, 5)
    got = asked(running, HARMLESS, user)
    assert (got["x-understudy-arm"], got["x-understudy-experiment"]) == ("teacher", "g")
    event = running.spool.exchanges[-1]
    assert (event.flagged, event.fell_back, event.assigned, event.unit) == (True, True, "student", user)
    assert [part.arm for part in event.experiments] == ["routing+guard"]
    assert {(one.arm, one.fell_back) for one in running.spool.exposures} == {
        ("routing+guard", False), ("routing+guard", True),
    }  # fmt: skip


def test_against_the_clients_will_nothing_is_told_and_what_either_side_refuses_counts_on_neither(
    serve: Serve, teacher: Engine
) -> None:
    running = guarded(serve, {"teacher": teacher}, ALONE)
    on, off = of("guard"), of("none")
    asked(running, ATTACK, on, headers={"x-understudy-no-capture": "1"})
    token = {"type": "function", "function": {"name": "a<|im_start|>b", "parameters": {}}}
    body = {"model": "auto", "messages": [{"role": "user", "content": ATTACK}], "tools": [token]}
    statuses = [
        running.client.send("POST", "/v1/chat/completions", json.dumps(body).encode(), {"x-understudy-user": user})[0]
        for user in (on, off)
    ]
    assert statuses == [200, 400]
    assert exposed(running) == []
    assert all(not one.experiments for one in running.spool.exchanges)


def test_what_the_guard_does_to_users_is_told_from_the_gateway_to_the_result(
    serve: Serve, teacher: Engine, redis_url: str
) -> None:
    """Half of the users attack, a session each. Where the guard is off all of these are taken over, else every second:
    by known numbers the guard makes for 0.25 takeovers a session less, and no unit is missing from either side."""
    running = guarded(serve, {"teacher": teacher}, ALONE, breaker={"calls": 1000})
    running.gateway.clock = lambda: 1.0
    sides = {name: [of(name, skip=n) for n in range(80)] for name in ("none", "guard")}
    for name, users in sides.items():
        for n, user in enumerate(users):
            named = {"x-understudy-user": user, "x-understudy-session": f"s-{user}"}
            _, _, reply = running.client.chat(f"{ATTACK} {user}" if n % 2 else HARMLESS, headers=named)
            taken = n % 2 and (name == "none" or n % 4 == 1)
            for about, kpi, value in (("session_id", "takeover", taken), ("response_id", "click", 1)):
                said = {about: f"s-{user}" if about == "session_id" else reply["id"], "kpi": kpi, "value": value}
                assert running.client.send("POST", "/v1/feedback", json.dumps(said).encode())[0] == 202
    applier = Applier(redis_url)
    applier.events([*running.spool.exposures, *running.spool.events, *running.spool.exchanges])
    asked_for = ALONE.model_copy(update={"primary": Primary(kpi="takeover"), "secondary": (
        Primary(kpi="click"), Primary(kpi="degraded_replies"), Primary(kpi="flagged"), Primary(kpi="session_turns"),
    ), "stop": Stop(planned_units=160)})  # fmt: skip
    found = results(asked_for, "active", applier.kpis.arms("g"), {}, ratios(KpisConfig()), {}, time.time())
    assert {arm: one.units for arm, one in found.arms.items()} == {"none": 80, "guard": 80}
    assert found.sample_ratio.verdict == "fits"
    takeover, click, prebuilt, flagged, turns = found.attribution
    assert takeover.shapley["guard"].value == pytest.approx(-0.25)
    assert takeover.shapley["guard"].upper is not None
    assert takeover.shapley["guard"].upper < 0
    assert prebuilt.values == {"": (0.0, 0.0), "guard": (0.5, pytest.approx(0.056, abs=0.001))}
    same = [(one.values[""][0], one.values["guard"][0]) for one in (click, flagged, turns)]
    assert same == [(1.0, 1.0), (0.5, 0.5), (1.0, 1.0)]


def test_a_stopped_experiment_leaves_nobody_unguarded(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, {"teacher": teacher}, ALONE)
    off = of("none")
    assert "x-understudy-degraded" not in asked(running, ATTACK, off)
    later: RoutingDocument = document({"teacher": teacher}, epoch=2)
    assert running.snapshot.offer(later)
    assert asked(running, f"{ATTACK} now", off)["x-understudy-degraded"] == "guard"
