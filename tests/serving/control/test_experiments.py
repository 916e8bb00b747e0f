"""Experiments at the control plane: refused, warned about, stopped without losing what they counted."""

from __future__ import annotations

from typing import Any

import pytest
import redis
import yaml
from fastapi.testclient import TestClient

from feedback.store.keys import RedisKeys
from tests.serving.control.conftest import ROOT

HALVES = {"teacher": 0.5, "student": 0.5}


def put(admin: TestClient, name: str = "a", **given: Any) -> Any:
    return admin.put(f"/experiments/{name}", json={"id": name, "arms": HALVES, **given})


def expose(redis_url: str, name: str, n: int) -> None:
    """What the workers would have counted."""
    redis.Redis.from_url(redis_url).hset(f"{RedisKeys('us:').exposures}{name}", "student", n)


def states(admin: TestClient) -> dict[str, str]:
    return {one["id"]: one["state"] for one in admin.get("/experiments").json()["experiments"]}


def test_an_experiment_that_shares_requests_is_applied_with_a_warning(admin: TestClient) -> None:
    assert put(admin, "b").json()["warnings"] == []
    assert put(admin, "a").json()["warnings"] == ["requests that match both go to this one, not to `b`"]
    assert put(admin, "c", when={"tenant": "shop"}).json()["warnings"] == [
        "requests that match both go to `a`, not to this one",
        "requests that match both go to `b`, not to this one",
    ]


def test_a_number_that_is_none_is_refused_and_nothing_is_published(admin: TestClient) -> None:
    epoch = admin.get("/status").json()["epoch"]
    answer = admin.put("/experiments/a", content='{"id": "a", "arms": {"student": NaN, "teacher": 0.1}}')
    assert answer.status_code == 422
    assert "finite" in answer.json()["error"]["message"]
    assert (admin.get("/status").json()["epoch"], states(admin)) == (epoch, {})


@pytest.mark.parametrize("part", ["primary", "secondary", "guardrails"])
def test_a_kpi_that_nobody_counts_is_refused_with_what_is_allowed(admin: TestClient, part: str) -> None:
    def given(kpi: str) -> dict[str, Any]:
        value = {"kpi": kpi, "max_ratio": 1.3} if part == "guardrails" else {"kpi": kpi}
        return {part: value if part == "primary" else [value]}

    refused = put(admin, **given("no_such_kpi"))
    assert refused.status_code == 422
    for name in ("first_response_correct", "latency_p99", "smile", "kpis.declared"):
        assert name in refused.json()["error"]["message"]
    assert all(put(admin, **given(kpi)).status_code == 200 for kpi in ("rating", "latency_p99", "smile"))


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
    assert set(whole) == {*plain, "seed", "when", "shadow", "primary", "guardrails", "stop"}
    answer = admin.put("/experiments/student-half", json=whole)
    assert answer.status_code == 200, answer.text
