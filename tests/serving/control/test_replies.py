"""Replies of the control plane: each route names its model, and what it really answers is that model."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from deploy.life.state import CanaryState
from deploy.routing.document import Heartbeat, SlotView
from serving.control.replies.base import ErrorReply, NotComputedReply
from serving.control.replies.counts import AuditReply, KpisReply, PoolReply, PurgeReply
from serving.control.replies.experiments import (
    ExperimentAppliedReply,
    ExperimentReply,
    ExperimentsReply,
    ExperimentStoppedReply,
)
from serving.control.replies.results import ExperimentResultsReply
from serving.control.replies.rounds import RoundRequestedReply, RoundsReply
from serving.control.replies.status import RolloutStatus, SlotStatus, StatusReply
from serving.control.replies.versions import FrozenReply, MoveReply, RolloutsReply, TakenBack, VersionsReply
from tests.deploy.fleet import Moving, World, to_canary

ARMS = {"teacher": 0.5, "student": 0.5}


def exactly(reply: type[BaseModel], answer: Any) -> BaseModel:
    """`answer` as the model, which neither adds to it nor leaves anything out."""
    found = reply.model_validate(answer)
    assert found.model_dump(mode="json", by_alias=True, exclude_unset=True) == answer
    return found


def test_every_route_of_the_openapi_document_has_a_schema_that_says_something(admin: TestClient) -> None:
    document = admin.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    routes = [(path, method, route) for path, row in document["paths"].items() for method, route in row.items()]
    assert len(routes) == 34
    for path, method, route in routes:
        for status in (next(code for code in route["responses"] if code.startswith("2")), "default"):
            schema = route["responses"][status]["content"]["application/json"]["schema"]
            name = schema["$ref"].rpartition("/")[2]
            assert schemas[name]["properties"], (path, method)
        assert "422" not in route["responses"], "refusals are error objects, whatever FastAPI would say"


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("/status", StatusReply),
        ("/versions", VersionsReply),
        ("/pool", PoolReply),
        ("/kpis", KpisReply),
        ("/rollouts", RolloutsReply),
        ("/rounds", RoundsReply),
        ("/audit", AuditReply),
        ("/drift", NotComputedReply),
        ("/experiments", ExperimentsReply),
    ],
)
def test_a_page_of_a_system_with_a_candidate_is_its_reply(
    admin: TestClient, world: World, path: str, reply: type[BaseModel]
) -> None:
    to_canary(world, world.candidate())
    admin.put("/experiments/a", json={"id": "a", "arms": ARMS, "when": {"tenant": "shop"}})
    assert exactly(reply, admin.get(path).json()) is not None


def test_acts_answer_with_their_replies(admin: TestClient, world: World) -> None:
    candidate = world.candidate()
    to_canary(world, candidate)
    with Moving(world):
        moved = exactly(MoveReply, admin.post("/promote", json={"version": "v1"}).json())
    assert moved.taken_back == TakenBack(version=candidate, round=1)
    exactly(FrozenReply, admin.post("/freeze", json={"what": "learning"}).json())
    exactly(RoundRequestedReply, admin.post("/rounds").json())
    exactly(PurgeReply, admin.delete("/pool", params={"tenant": "acme"}).json())
    assert exactly(ErrorReply, admin.post("/rounds/abort").json()).error.code == "not_found"


def test_an_experiment_is_shown_as_it_was_applied(admin: TestClient) -> None:
    exactly(ExperimentAppliedReply, admin.put("/experiments/a", json={"id": "a", "arms": ARMS}).json())
    shown = exactly(ExperimentReply, admin.get("/experiments/a").json())
    assert (shown.state, shown.shares, shown.stop.planned_units) == ("active", ARMS, 10_000)
    exactly(ExperimentResultsReply, admin.get("/experiments/a/results").json())
    exactly(ExperimentStoppedReply, admin.delete("/experiments/a").json())


def test_a_slot_shows_all_that_its_agent_and_the_routing_document_say_of_it() -> None:
    told = Heartbeat.model_fields.keys() - {"schema_version", "slot"} | SlotView.model_fields.keys() - {"api_key"}
    assert SlotStatus.model_fields.keys() == told | {"reports"}
    told = CanaryState.model_fields.keys() - {"began"} | {"exposures", "guardrails"}
    assert RolloutStatus.model_fields.keys() == told
