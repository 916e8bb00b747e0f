"""Experiments at the control plane: refused, warned about, stopped without losing what they counted."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from fastapi.testclient import TestClient

from ab.assignment import bucket, choose
from ab.commands import assign
from ab.experiment import Experiment
from ab.running.phases import Phase, assigned
from feedback.events import Exposure
from feedback.store.keys import RedisKeys
from serving.control.sources import Sources
from serving.gateway.routing import Ask, route
from tests.deploy.fleet import Moving, World, beginning, cut, register
from tests.feedback.applying import Applier
from tests.serving.control.conftest import ROOT, client
from understudy.state import StateDir

HALVES = {"teacher": 0.5, "student": 0.5}


def put(admin: TestClient, name: str = "a", **given: Any) -> Any:
    return admin.put(f"/experiments/{name}", json={"id": name, "arms": HALVES, **given})


def expose(redis_url: str, name: str, n: int) -> None:
    """What the workers would have counted."""
    client, keys = redis.Redis.from_url(redis_url), RedisKeys("us:")
    client.hset(f"{keys.exposures}{name}", "student", n)
    client.hset(keys.cohorts, f"experiment:{name}:student:1:7", 1)
    client.hset(f"{keys.users}experiment:{name}:student:1:7", "users", n)


def states(admin: TestClient) -> dict[str, str]:
    return {one["id"]: one["state"] for one in admin.get("/experiments").json()["experiments"]}


def test_one_that_would_take_units_of_another_is_refused_and_the_other_goes_on(admin: TestClient) -> None:
    assert put(admin, "b", namespace=[0, 0.6]).status_code == 200
    refused = put(admin, "a")
    assert refused.status_code == 409
    assert "`b`" in refused.json()["error"]["message"]
    assert "40.0% of its units are free" in refused.json()["error"]["message"]
    assert states(admin) == {"b": "active"}
    assert put(admin, "a", namespace=[0.6, 1]).status_code == 200
    assert put(admin, "c", layer="observe", arms={"left": 0.5, "right": 0.5}).status_code == 200
    assert put(admin, "b", namespace=[0, 0.7]).status_code == 409, "a running one may not grow into another either"
    assert put(admin, "b", namespace=[0, 0.5]).status_code == 200


def test_each_change_begins_a_phase_that_show_prints_for_assign(
    admin: TestClient, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(admin)
    put(admin, arms={"teacher": 0.3, "student": 0.7}, force={"ada": "teacher"})
    put(admin, arms={"teacher": 0.3, "student": 0.7}, force={"ada": "teacher"}, stop={"max_days": 3})
    shown = admin.get("/experiments/a").json()
    assert [(one["number"], one["why"]) for one in shown["phases"]] == [(1, "applied"), (2, "shares, testers")]
    assert shown["phases"][0]["until"] == shown["phases"][1]["since"]
    file, units = tmp_path / "shown.json", tmp_path / "units.txt"
    file.write_text(json.dumps(shown), "utf-8")
    units.write_text("ada\n" + "".join(f"user-{n}\n" for n in range(300)), "utf-8")
    document = world.turn()
    assert assign([str(file), "--units", str(units)]) == 0
    for line in map(json.loads, capsys.readouterr().out.splitlines()):
        [one] = route(document, Ask("auto", "s", "r", line["unit"])).taken
        assert (one.arm, one.phase, one.bucket, not one.counted) == (
            line["arm"], 2, line["bucket"], line.get("forced", False),
        )  # fmt: skip
    assert assign([str(file), "--units", str(units), "--phase", "1"]) == 0
    first = [json.loads(line)["arm"] for line in capsys.readouterr().out.splitlines()[1:]]
    assert first == [choose(HALVES, bucket("a", f"user-{n}")) for n in range(300)]


def test_a_number_that_is_none_is_refused_and_nothing_is_published(admin: TestClient) -> None:
    epoch = admin.get("/status").json()["epoch"]
    answer = admin.put("/experiments/a", content='{"id": "a", "arms": {"student": NaN, "teacher": 0.1}}')
    assert answer.status_code == 422
    assert "finite" in answer.json()["error"]["message"]
    assert (admin.get("/status").json()["epoch"], states(admin)) == (epoch, {})


@pytest.mark.parametrize(
    ("half", "why"),
    [
        ('{"id": "a", "arms": {"teacher": 0.5', ""),
        ('{"id": "a", "arms": {"teacher": 0.5}}', "arms"),
        ('{"id": "a", "arms": {"teacher": 0.5, "student": {"serve": "student"}}}', "arms.student"),
        ('{"id": "a", "arms": {"teacher": 0.5, "student": 0.5}, "primary": {"test": "superiority"}}', "primary.kpi"),
    ],
)
def test_half_a_file_is_refused_by_path_and_the_running_one_goes_on(admin: TestClient, half: str, why: str) -> None:
    assert put(admin).status_code == 200
    running, epoch = admin.get("/experiments/a").json(), admin.get("/status").json()["epoch"]
    refused = admin.put("/experiments/a", content=half)
    assert refused.status_code in (400, 422)
    assert why in refused.json()["error"]["message"]
    assert (admin.get("/experiments/a").json(), admin.get("/status").json()["epoch"]) == (running, epoch)


@pytest.mark.parametrize("part", ["primary", "secondary", "guardrails"])
def test_a_kpi_that_nobody_counts_is_refused_with_what_is_allowed(admin: TestClient, part: str) -> None:
    def given(kpi: str) -> dict[str, Any]:
        value = {"kpi": kpi, "max_ratio": 1.3} if part == "guardrails" else {"kpi": kpi}
        return {part: value if part == "primary" else [value]}

    refused = put(admin, **given("no_such_kpi"))
    assert refused.status_code == 422
    for name in ("first_response_correct", "latency_p99", "smile", "kpis.declared"):
        assert name in refused.json()["error"]["message"]
    allowed = ("rating", "latency", "smile", *(("latency_p99",) if part == "guardrails" else ()))
    assert all(put(admin, **given(kpi)).status_code == 200 for kpi in allowed)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"guardrails": [{"kpi": "latency_p99", "max_increase": 0.1}]}, "takes `max_ratio`"),
        ({"guardrails": [{"kpi": "ttft", "max_ratio": 1.3}]}, "no user has a ttft"),
        ({"primary": {"kpi": "latency_p99"}}, "takes `max_ratio`"),
        ({"secondary": [{"kpi": "completion_tokens"}]}, "no user has a completion_tokens"),
    ],
)
def test_a_kpi_for_which_no_data_can_come_is_refused_with_the_reason(
    admin: TestClient, given: dict[str, Any], why: str
) -> None:
    refused = put(admin, **given)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "no_figures")
    assert why in refused.json()["error"]["message"]
    assert states(admin) == {}


def test_a_split_changes_freely_until_it_has_exposures(admin: TestClient, redis_url: str) -> None:
    assert put(admin).status_code == 200
    assert put(admin, unit="session").status_code == 200
    expose(redis_url, "a", 3)
    refused = put(admin, unit="request", when={"tenant": "shop"})
    assert (refused.status_code, "`unit`, `when`" in refused.json()["error"]["message"]) == (409, True)
    assert put(admin, unit="session", stop={"max_days": 3}).status_code == 200
    assert admin.delete("/experiments/a").status_code == 200
    assert put(admin, unit="request").status_code == 409, "the counts are still there"
    assert put(admin, unit="session").status_code == 200
    assert states(admin) == {"a": "active"}


def test_a_stopped_experiment_takes_no_traffic_and_keeps_its_results(admin: TestClient, redis_url: str) -> None:
    put(admin)
    expose(redis_url, "a", 3)
    assert admin.delete("/experiments/a").status_code == 200
    assert states(admin) == {"a": "stopped"}
    assert admin.get("/experiments/a").json()["state"] == "stopped"
    results = admin.get("/experiments/a/results").json()
    assert (results["state"], results["decision"]) == ("stopped", "keep running")
    assert admin.delete("/experiments/a").status_code == 404
    assert put(admin, "b").json()["warnings"] == []


def test_the_example_of_the_documentation_applies_with_and_without_its_optional_parts(admin: TestClient) -> None:
    text = (ROOT / "docs" / "experiment.yaml").read_text("utf-8")
    plain = yaml.safe_load(text)
    assert (plain["unit"], plain["arms"]) == ("user", {"teacher": 0.5, "student": 0.5})
    assert admin.put("/experiments/student-half", json=plain).json()["warnings"] == []
    optional = [line[2:] for line in text.splitlines() if line.startswith("# ") and ": " in line]
    whole = yaml.safe_load("\n".join([*text.splitlines(), *optional]))
    assert set(whole) == set(Experiment.model_fields) - {"secondary", "switches"}
    answer = admin.put("/experiments/student-half", json=whole)
    assert answer.status_code == 200, answer.text


def test_a_pinned_version_must_exist_and_find_a_slot(admin: TestClient, world: World) -> None:
    def pinned(name: str, version: str, **given: Any) -> Any:
        return put(admin, name, arms={"student": 0.5, f"student:{version}": 0.5}, **given)

    assert pinned("a", "v9").status_code == 404
    live = world.turn().stable
    assert pinned("a", "v1", namespace=[0, 0.5]).status_code == 200
    assert live == "v2"
    third = register(world.state, "third")
    refused = pinned("b", third, namespace=[0.5, 1])
    assert (refused.status_code, "a pins v1" in refused.json()["error"]["message"]) == (409, True)
    assert pinned("b", "v1", namespace=[0.5, 1]).status_code == 200
    both = put(admin, "a", namespace=[0, 0.5], arms={"student:v1": 0.5, f"student:{third}": 0.5})
    assert (both.status_code, "one version beside the live v2" in both.json()["error"]["message"]) == (409, True)


def test_status_says_what_a_canary_waits_for(admin: TestClient, world: World) -> None:
    put(admin, "a", arms={"student": 0.5, "student:v1": 0.5})
    candidate = world.candidate()
    world.turn(5)
    waits = admin.get("/status").json()["round"]["waits"]
    assert "holds v1 for the experiment a; `understudy experiment stop a`" in waits
    admin.delete("/experiments/a")
    assert world.turn(5).candidate == candidate
    refused = put(admin, "a", arms={"student": 0.5, "student:v1": 0.5})
    assert (refused.status_code, f"the canary of {candidate}" in refused.json()["error"]["message"]) == (409, True)


def test_an_arm_of_an_unfit_student_is_applied_with_a_warning(state_dir: StateDir, sources: Sources) -> None:
    world = beginning(state_dir)
    with client(world, sources) as admin:
        (said,) = put(admin).json()["warnings"]
        assert said.startswith("v1 is not fit yet")


def test_no_arm_pins_a_version_that_was_never_fit(state_dir: StateDir, sources: Sources) -> None:
    """Two cuts and the child of one: whichever learns, none of the others comes into a slot by a pin."""
    world = beginning(state_dir)
    world.learned("v1", 0.02, 0.3)
    world.turn()
    cut(state_dir, "another cut")
    assert world.turn().unfit == "v3"
    with client(world, sources) as admin:
        for version in ("v1", "v2", "v3"):
            refused = put(admin, arms={"teacher": 0.5, f"student:{version}": 0.5})
            assert (refused.status_code, f"{version} is unfit" in refused.json()["error"]["message"]) == (409, True)
        register(state_dir, "imported")
        assert world.turn().stable == "v4"
        assert put(admin, arms={"student": 0.5, "student:v1": 0.5}).status_code == 409
        assert put(admin, arms={"teacher": 0.5, "student:v4": 0.5}).status_code == 200
        with Moving(world):
            world.conductor.acts.perform("promote", "v1", "test", force=True)
        assert put(admin, "b", namespace=[0, 1], arms={"teacher": 0.5, "student:v1": 0.5}).status_code == 409
        admin.delete("/experiments/a")
        assert put(admin, "b", arms={"teacher": 0.5, "student:v1": 0.5}).status_code == 200


def test_results_tell_distinct_units_over_phases_and_who_fell_back(admin: TestClient, redis_url: str) -> None:
    """Two phases with the same users, of whom a fifth moved: each is one unit."""
    put(admin)
    put(admin, arms={"teacher": 0.3, "student": 0.7})
    phases = [Phase.model_validate(one) for one in admin.get("/experiments/a").json()["phases"]]
    file = Experiment.model_validate({"id": "a", "arms": HALVES})
    said = []
    for phase in phases:
        for n in range(1_000):
            arm = str(assigned(file, phase, f"user-{n}").arm)
            fell_back = phase.number == 2 and n < 10
            said.append(Exposure(
                id=f"{n}-{phase.number}", session=f"s{n}", at=time.time(), unit=f"user-{n}", experiment="a",
                phase=phase.number, arm=arm, bucket=0.0, epoch=1, fell_back=fell_back,
            ))  # fmt: skip
    Applier(redis_url).events(said)
    found = admin.get("/experiments/a/results").json()
    assert found["reached_units"] == pytest.approx(1_000, abs=1)
    assert sum(arm["fell_back"] for arm in found["arms"].values()) == 10
    assert found["sample_ratio"]["verdict"] == "fits"
    assert [sum(phase["units"].values()) for phase in found["phases"]] == [1_000, 1_000]
