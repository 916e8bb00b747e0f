"""What an exchange adds to the KPIs."""

from __future__ import annotations

import json
from typing import Any

from feedback.events import Kpi, PhaseArm, Verdict
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import cells, exchange_effects, exchange_values, feedback_effects, settings, verdict_effects
from feedback.store.keys import RedisKeys
from tests.feedback.factory import exchange

KEYS = RedisKeys()


def test_abnormal_means_the_server_s_fault() -> None:
    assert exchange_values(exchange(1, status=503))["abnormal_termination"] == 1
    assert exchange_values(exchange(1, finish_reason="error"))["abnormal_termination"] == 1
    assert exchange_values(exchange(1, status=429))["abnormal_termination"] == 0
    assert "latency" not in exchange_values(exchange(1, status=503))


def test_a_verdict_counts_its_similarity_and_each_check_that_ran() -> None:
    verdict = Verdict(
        id="v", session="s", at=1.0, exchange="e", teacher="t1", student="v1", similarity=0.25,
        checked=("semantic", "tone"), failed=("tone",), quality_teacher=0.75, quality_student=0.5,
    )  # fmt: skip
    counted = {key.removeprefix(KEYS.kpis): values for _, key, values in verdict_effects(KEYS, verdict)}
    assert counted["version:v1"] == {
        "similarity": 0.25, "hard": 1, "quality_gap": 0.25, "failed_semantic": 0, "failed_tone": 1,
    }  # fmt: skip
    assert set(counted) == {"version:v1", "arm:student"}


def test_a_verdict_counts_exact_replies_and_facts_where_they_were_looked_at() -> None:
    verdict = Verdict(
        id="v", session="s", at=1.0, exchange="e", teacher="t1", student="v1", similarity=0.9, exact=False, facts=True
    )
    counted = verdict_effects(KEYS, verdict)[0][2]
    assert (counted["exact"], counted["facts"]) == (0.0, 1.0)


def test_feedback_without_a_target_counts_for_what_it_names() -> None:
    kpi = Kpi(id="k", session="s", at=1.0, kpi="rating", value=3.0, arm="student", version="v1")
    commands = feedback_effects(KEYS, kpi)
    assert {command[1] for command in commands} == {f"{KEYS.kpis}arm:student", f"{KEYS.kpis}version:v1"}


def test_a_user_is_named_by_a_hash_and_where_served_by_a_place() -> None:
    commands = exchange_effects(KEYS, exchange(1, unit="王小明", experiment="exp", assigned="student", version="t1"))
    verb, tenant, unit, place, _, cells, response, session, own = commands[0]
    assert (verb, tenant, json.loads(place)) == ("reply", "default", ["teacher", "t1", [["exp", 0, "student"]], ""])
    assert [len(name) for name in (unit, response, session, own)] == [16, 16, 16, 8]
    assert cells == {"requests": 1, "abnormal": 0, "replies": 1, "latency": 0.5, "latency2": 0.25}
    assert "王小明" not in str(commands)


def test_a_line_of_business_is_told_where_there_is_an_experiment() -> None:
    def place(**given: Any) -> list[Any]:
        found: list[Any] = json.loads(exchange_effects(KEYS, exchange(1, version="t1", **given))[0][3])
        return found

    assert place(line="shop", experiment="exp") == ["teacher", "t1", [["exp", 0, "teacher"]], "", "shop"]
    assert place(line="shop") == ["teacher", "t1", [], ""]


def test_an_exchange_counts_for_every_phase_that_it_names() -> None:
    both = (PhaseArm(experiment="a", phase=2, arm="student"), PhaseArm(experiment="b", phase=1, arm="left"))
    commands = exchange_effects(KEYS, exchange(1, experiment="a", experiments=both))
    assert json.loads(commands[0][3])[2] == [["a", 2, "student"], ["b", 1, "left"]]
    counted = {command[1] for command in commands if command[0] == "count"}
    assert {f"{KEYS.kpis}experiment:a:student", f"{KEYS.kpis}experiment:b:left"} < counted


def test_an_exchange_of_an_older_release_counts_for_the_experiment_that_it_names_unless_its_user_was_derived() -> None:
    assert exchange(1, experiment="a", assigned="student").counts_for == (PhaseArm(experiment="a", arm="student"),)
    assert exchange(1, experiment="a", unit_derived=True).counts_for == ()


def test_what_failed_is_no_reply_and_has_no_latency() -> None:
    commands = exchange_effects(KEYS, exchange(1, status=503))
    assert commands[0][5] == {"requests": 1, "abnormal": 1}
    assert [command[0] for command in commands] == ["reply", "count", "count"]


def test_the_products_of_every_figure_are_summed() -> None:
    told = json.loads(settings(KEYS, KpisConfig(declared=("smile",))))
    products = {(a, b) for a, b, _ in told["pairs"]}
    assert {("latency", "latency2"), ("smile.n", "smile.s"), ("click.s", "replies")} <= products
    assert all(a <= b for a, b in products)


def test_a_request_is_timed_against_the_limits_of_each_experiment_that_it_counts_for() -> None:
    one = PhaseArm(experiment="a", phase=1, arm="student", slow=(("latency_p99", 0.4), ("ttft_p99", 0.2)))
    two = PhaseArm(experiment="b", phase=1, arm="left", layer="observe", slow=(("latency_p99", 0.6),))
    timed = {"slow.latency.arm": 1.0, "timed.latency.arm": 1.0, "slow.ttft.arm": 0.0, "timed.ttft.arm": 1.0,
             "slow.latency.observe": 0.0, "timed.latency.observe": 1.0}  # fmt: skip
    said = cells(exchange(1, experiments=(one, two), seconds=0.5, ttft=0.1))
    assert {name: value for name, value in said.items() if name.startswith(("slow", "timed"))} == timed
    failed = cells(exchange(1, experiments=(one, two), seconds=9.0, status=503))
    assert not any(name.startswith(("slow", "timed")) for name in failed)
    known = {name for pair in json.loads(settings(KEYS, KpisConfig()))["pairs"] for name in pair[:2]}
    assert set(timed) <= known
