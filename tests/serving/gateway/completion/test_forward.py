"""Engines that fail, versions that move, Redis that goes: what the client sees of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ab.experiment import Experiment
from deploy.routing.stores import Routing, open_routing
from serving.engine.config import EnginesConfig
from serving.gateway.snapshot import Follower, Snapshot
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, response, says
from tests.waiting import eventually
from understudy.state import StateDir

Serve = Callable[..., Running]
Make = Callable[..., Engine]


def following(
    routing: Routing, state: StateDir | None = None, poll: float = 0.05
) -> Callable[[Snapshot, str], Follower]:
    def make(snapshot: Snapshot, url: str) -> Follower:
        return Follower(snapshot, routing, state, url, poll, EnginesConfig(), "gateway-test")

    return make


@pytest.mark.parametrize("how", ["refuses", "resets", "500", "slow", "garbage"])
def test_the_other_arm_answers_when_an_engine_fails_before_its_first_byte(serve: Serve, engine: Make, how: str) -> None:
    teacher, student = engine("teacher"), engine("student")
    experiment = Experiment(id="e", arms={"student": 1.0})
    running = serve(document({"teacher": teacher, "student": student}, experiments=(experiment,)), first_byte_seconds=2)
    scripts = {"resets": says("reset"), "500": says(response(b"{}", "500 Internal Server Error")),
               "slow": says(60.0), "garbage": says(b"not http\r\n\r\n", 0.2)}  # fmt: skip
    student.script = scripts.get(how)
    if how == "refuses":
        student.stop()
    status, headers, body = running.client.chat(headers={"x-understudy-user": "u"})
    assert status == 200
    assert headers["x-understudy-arm"] == "teacher"
    assert body["choices"][0]["message"]["content"].endswith("teacher")
    exchange = running.spool.exchanges[0]
    assert (exchange.arm, exchange.assigned, exchange.experiment) == ("teacher", "student", "e")
    assert len(student.seen) <= 1


def test_an_arm_that_was_asked_for_by_name_is_never_replaced(serve: Serve, engine: Make) -> None:
    teacher, student = engine("teacher"), engine("student")
    running = serve(document({"teacher": teacher, "student": student}))
    student.script = says("reset")
    status, headers, body = running.client.chat(model="student")
    assert (status, body["error"]["code"]) == (502, "upstream_error")
    assert headers["x-understudy-arm"] == "student"
    assert not teacher.seen
    assert running.spool.exchanges[0].finish_reason == "error"


def test_an_arm_that_cannot_be_reached_is_named(serve: Serve, engine: Make) -> None:
    student = engine("student")
    running = serve(document({"student": student}))
    student.stop()
    status, _, body = running.client.chat(model="student")
    assert status == 502
    assert "the engine of the student cannot be reached" in body["error"]["message"]


def test_a_late_engine_is_a_504(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher", delay=5.0)
    running = serve(document({"teacher": teacher}), first_byte_seconds=0.2)
    status, _, body = running.client.chat()
    assert (status, body["error"]["code"]) == (504, "upstream_timeout")
    assert teacher.closed.wait(2)


def test_a_silent_stream_ends_by_an_error_event(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    teacher.script = says(SSE_HEAD + chunk(event("a")), 5.0)
    running = serve(document({"teacher": teacher}), idle_seconds=0.2)
    status, _, raw = running.client.chat(stream=True)
    assert status == 200
    assert b'"upstream_broken"' in raw


def test_a_dead_arm_is_avoided_without_spending_the_retry_budget(serve: Serve, engine: Make) -> None:
    teacher, student = engine("teacher"), engine("student")
    running = serve(document({"teacher": teacher, "student": student}, default={"student": 1.0}), retry_share=0.01)
    student.stop()
    for _ in range(40):
        assert running.client.chat()[0] == 200
    assert running.gateway.metrics.events["fallback"] <= 5


def test_a_409_makes_the_gateway_read_the_document_and_re_route(serve: Serve, engine: Make, redis_url: str) -> None:
    """The gateway polls so rarely that only the 409 can tell it of the swap."""
    student, other = engine("student", version="v1"), engine("student", version="v2")
    routing = open_routing(None, redis_url)
    routing.documents.publish(document({"student": student}, epoch=1))
    running = serve(follow=following(open_routing(None, redis_url), poll=60))
    eventually(lambda: running.snapshot.document.epoch == 1)
    assert running.client.chat(model="student")[1]["x-understudy-version"] == "v1"
    student.version = "v3"
    moved = document({"student": student, "candidate": other}, epoch=2, stable="v2")
    slots = {**moved.slots, "student-a": moved.slots["student-a"].model_copy(update={"version": "v3"})}
    routing.documents.publish(moved.model_copy(update={"slots": slots}))
    status, headers, _ = running.client.chat(model="student", stream=False)
    assert (status, headers["x-understudy-version"]) == (200, "v2")
    assert running.gateway.metrics.events["reroute"] == 1
    assert running.spool.exchanges[-1].epoch == 2
    assert running.client.chat(model="student:v1")[0] == 404


def test_a_version_that_stays_away_is_refused_in_bounded_time(serve: Serve, engine: Make, redis_url: str) -> None:
    student = engine("student", version="v9")
    routing = open_routing(None, redis_url)
    routing.documents.publish(document({"student": student}, epoch=1))
    running = serve(follow=following(open_routing(None, redis_url)), reroute_seconds=0.4)
    eventually(lambda: running.snapshot.document.epoch == 1)
    status, headers, body = running.client.chat(model="student")
    assert (status, body["error"]["code"], headers["retry-after"]) == (503, "version_changing", "1")
    assert len(student.seen) == 4
