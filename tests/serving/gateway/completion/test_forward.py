"""Engines that fail, versions that move, Redis that goes: what the client sees of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ab.experiment import Experiment
from deploy.routing.stores import Routing, open_routing
from feedback.store.server import RedisServer
from serving.engine.config import EnginesConfig
from serving.gateway.metrics import Metrics
from serving.gateway.retry import RESERVE, RetryBudget
from serving.gateway.snapshot import Follower, Snapshot
from tests.serving.gateway.conftest import Client, Running, document
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, response, says
from tests.waiting import eventually
from understudy.state import StateDir

SERVE = [sys.executable, "-m", "understudy", "serve"]
ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[4]), "PATH": os.environ.get("PATH", "")}
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


def test_the_retry_budget_is_a_share_with_a_small_reserve() -> None:
    budget = RetryBudget(0.2)
    assert sum(budget.take() for _ in range(100)) == RESERVE
    taken = 0
    for _ in range(1000):
        budget.earn()
        taken += budget.take()
    assert taken == pytest.approx(200, abs=1)
    assert not RetryBudget(0.0).take()


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


def test_the_gateway_follows_reports_its_epoch_and_never_goes_back(
    serve: Serve, engine: Make, redis_url: str, state_dir: StateDir
) -> None:
    teacher = engine("teacher")
    state_dir.run.mkdir(parents=True)
    state_dir.engine_key.write_text("key-1\n", "utf-8")
    routing = open_routing(None, redis_url)
    running = serve(follow=following(open_routing(None, redis_url), state_dir))
    assert running.client.chat()[0] == 503
    routing.documents.publish(document({"teacher": teacher}, epoch=5))
    eventually(lambda: [beat.epoch for beat in routing.beats.gateways()] == [5])
    assert running.client.chat()[0] == 200
    assert teacher.seen[0].headers["authorization"] == "Bearer key-1"
    assert not running.snapshot.offer(document({}, epoch=4))
    assert running.snapshot.document.epoch == 5
    running.stop()
    assert routing.beats.gateways() == []


def test_serving_goes_on_while_redis_is_gone(serve: Serve, engine: Make, own_redis: RedisServer) -> None:
    teacher = engine("teacher")
    routing = open_routing(None, own_redis.url)
    routing.documents.publish(document({"teacher": teacher}, epoch=1))
    running = serve(follow=following(open_routing(None, own_redis.url)))
    eventually(lambda: running.snapshot.document.epoch == 1)
    own_redis.stop()
    for _ in range(20):
        assert running.client.chat()[0] == 200
        time.sleep(0.02)
    own_redis.start()
    open_routing(None, own_redis.url).documents.publish(document({"teacher": teacher}, epoch=2))
    eventually(lambda: running.snapshot.document.epoch == 2)


def test_too_many_at_once_are_turned_away(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher", delay=0.5)
    running = serve(document({"teacher": teacher}), max_concurrent=2)
    results: list[tuple[int, dict[str, str]]] = []
    threads = [threading.Thread(target=lambda: results.append(running.client.chat()[:2])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(status for status, _ in results)
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert all(headers["retry-after"] == "1" for status, headers in results if status == 429)
    assert running.client.chat()[0] == 200


def test_fifty_streams_at_once_keep_their_texts_apart(serve: Serve, engine: Make) -> None:
    teacher, student = engine("teacher", delay=0.01), engine("student", delay=0.01)
    running = serve(document({"teacher": teacher, "student": student}, default={"teacher": 0.5, "student": 0.5}))
    wrong: list[str] = []

    def ask(number: int) -> None:
        _, headers, raw = running.client.chat(stream=True, headers={"x-understudy-user": f"u{number}"})
        if f'{headers["x-understudy-arm"]}"'.encode() not in raw or not raw.endswith(b"data: [DONE]\n\n"):
            wrong.append(f"{number}: {headers} {raw!r}")

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert running.gateway.metrics.in_flight == 0
    assert len(running.spool.raw) == 50


def test_a_running_stream_ends_well_within_the_drain(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher", delay=0.1)
    running = serve(document({"teacher": teacher}))
    results: list[tuple[int, dict[str, str], bytes]] = []
    thread = threading.Thread(target=lambda: results.append(running.client.chat(stream=True)))
    thread.start()
    eventually(lambda: bool(teacher.seen))
    running.stop()
    thread.join()
    assert results[0][2].endswith(b"data: [DONE]\n\n")
    with pytest.raises(ConnectionRefusedError):
        running.client.chat()


def test_what_outlasts_the_drain_is_told_so(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    teacher.script = says(SSE_HEAD, *[chunk(event("x")), 0.1] * 100)
    running = serve(document({"teacher": teacher}), drain_seconds=1)
    results: list[tuple[int, dict[str, str], bytes]] = []
    thread = threading.Thread(target=lambda: results.append(running.client.chat(stream=True)))
    thread.start()
    eventually(lambda: bool(teacher.seen))
    running.stop()
    thread.join()
    assert b"the gateway stops" in results[0][2]


def test_a_stale_connection_is_not_used_again(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    running = serve(document({"teacher": teacher}), reuse_seconds=1)
    running.client.chat()
    running.client.chat()
    assert teacher.connections == 1
    time.sleep(1.1)
    running.client.chat()
    assert teacher.connections == 2


def test_serve_alone_before_external_engines_and_a_port_in_use(engine: Make, tmp_path: Path, loop: object) -> None:
    teacher, student = engine("teacher"), engine("student")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    config = tmp_path / "u.yaml"
    config.write_text(
        f"engines:\n  teacher: {{url: '{teacher.url}/v1', model: big, api_key_env: TEACHER_KEY}}\n"
        f"  student: {{url: '{student.url}/v1', model: small}}\n",
        "utf-8",
    )
    process = start_gateway(config, tmp_path, "--port", str(port), TEACHER_KEY="sk-big")
    try:
        client = Client(port, Metrics())

        eventually(lambda: client.send("GET", "/ready")[0] == 200)
        assert client.chat()[1]["x-understudy-version"] == "external"
        assert teacher.seen[0].headers["authorization"] == "Bearer sk-big"
        assert teacher.seen[0].json["model"] == "big"
        client.chat(model="student")
        assert "authorization" not in student.seen[0].headers
        second = start_gateway(config, tmp_path, "--port", str(port), TEACHER_KEY="sk-big")
        assert second.wait(60) == 2
        assert "gateway.port" in (tmp_path / "gateway.log").read_text("utf-8")
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_a_gateway_that_slept_over_two_swaps_never_shows_a_wrong_version(
    engine: Make, tmp_path: Path, state_dir: StateDir
) -> None:
    """Stopped by SIGSTOP while both student slots changed, then asked before it can have polled."""
    first, second = engine("student", version="v1"), engine("other", version="v2")
    routing = open_routing(state_dir, None)
    routing.documents.publish(document({"student": first, "candidate": second}, epoch=1))
    config = tmp_path / "u.yaml"
    config.write_text("gateway: {port: 0}\nrouter: {poll_seconds: 1.0}\n", "utf-8")
    process = start_gateway(config, tmp_path, "--state", str(state_dir.root))
    try:
        eventually(lambda: bool(routing.beats.gateways()))
        client = Client(int(routing.beats.gateways()[0].url.rpartition(":")[2]), Metrics())
        assert client.chat(model="student")[1]["x-understudy-version"] == "v1"
        process.send_signal(signal.SIGSTOP)
        first.version, second.version = "v3", "v4"
        moved = document({"student": first, "candidate": second}, epoch=3, stable="v4")
        slots = {name: view.model_copy(update={"version": v, "desired": v})
                 for (name, view), v in zip(moved.slots.items(), ("v3", "v4"), strict=True)}  # fmt: skip
        routing.documents.publish(moved.model_copy(update={"slots": slots}))
        answers = [threading.Thread(target=lambda: seen.append(client.chat(model="student"))) for _ in range(4)]
        seen: list[tuple[int, dict[str, str], Any]] = []
        for thread in answers:
            thread.start()
        time.sleep(0.1)
        process.send_signal(signal.SIGCONT)
        for thread in answers:
            thread.join()
        assert [status for status, _, _ in seen] == [200] * 4
        assert {headers["x-understudy-version"] for _, headers, _ in seen} == {"v4"}
        assert all(body["choices"][0]["message"]["content"].endswith("other") for _, _, body in seen)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        assert process.wait(30) == 0


def start_gateway(config: Path, folder: Path, *more: str, **env: str) -> subprocess.Popen[bytes]:
    """`understudy serve` as a process of its own; all of them write to one log in `folder`."""
    command = [*SERVE, "--config", str(config), *more]
    with (folder / "gateway.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env={**ENVIRONMENT, **env}, stderr=log)
