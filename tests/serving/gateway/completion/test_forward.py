"""Engines that fail, versions that move, Redis that goes: what the client sees of it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ab.experiment import Experiment
from deploy.engines.external import ExternalEngine, static_document
from deploy.routing.document import RouterConfig
from deploy.routing.stores import open_routing
from serving.gateway.metrics import Metrics
from tests.serving.gateway.conftest import Client, Running, document, following
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, response, says
from tests.waiting import eventually

Serve = Callable[..., Running]
Make = Callable[..., Engine]
REQUESTS = 3000 if os.environ.get("UNDERSTUDY_FULL") == "1" else 300
ONE_CALL = {"calls": 1, "share": 1.0}
"""A rule by which one bad call opens an engine's breaker."""


@pytest.mark.parametrize("how", ["refuses", "resets", "500", "slow", "garbage", "401", "403", "429"])
def test_the_other_arm_answers_when_an_engine_fails_before_its_first_byte(serve: Serve, engine: Make, how: str) -> None:
    teacher, student = engine("teacher"), engine("student")
    experiment = Experiment(id="e", arms={"student": 1.0})
    running = serve(document({"teacher": teacher, "student": student}, experiments=(experiment,)), first_byte_seconds=2)
    scripts = {"resets": says("reset"), "500": says(response(b"{}", "500 Internal Server Error")),
               "slow": says(60.0), "garbage": says(b"not http\r\n\r\n", 0.2),
               "401": says(response(b"{}", "401 Unauthorized")), "403": says(response(b"{}", "403 Forbidden")),
               "429": says(response(b"{}", "429 Too Many Requests"))}  # fmt: skip
    student.script = scripts.get(how)
    if how == "refuses":
        student.stop()
    stream = how == "slow"  # what does not stream may be long
    status, headers, body = running.client.chat(headers={"x-understudy-user": "u"}, stream=stream)
    assert status == 200
    assert headers["x-understudy-arm"] == "teacher"
    assert stream or body["choices"][0]["message"]["content"].endswith("teacher")
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
    teacher = engine("teacher", script=says(5.0))
    running = serve(document({"teacher": teacher}), first_byte_seconds=0.2)
    status, _, body = running.client.chat(stream=True)
    assert (status, json.loads(body)["error"]["code"]) == (504, "upstream_timeout")
    assert teacher.closed.wait(60)


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


def test_an_engine_that_resets_what_it_accepts_costs_no_reply_until_it_is_left_alone(
    serve: Serve, engine: Make
) -> None:
    """A socket outlives its process for a moment where a child of it holds it: nothing is refused, all is reset."""
    teacher, student = engine("teacher"), engine("student", script=says("reset"))
    running = serve(document({"teacher": teacher, "student": student}, default={"student": 1.0}))
    answers = [running.client.chat() for _ in range(60)]
    assert [status for status, *_ in answers] == [200] * 60
    assert len(student.seen) < 60, "the breaker opened"
    assert running.gateway.metrics.events["retry_budget_spent"] == 0


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


LEAK = b'{"error":{"message":"Incorrect API key provided: sk-pro****1234","code":"invalid_api_key"}}'


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_an_engine_that_refuses_our_key_is_our_fault_and_its_words_stay_here(
    serve: Serve, engine: Make, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    teacher = engine("teacher", script=says(response(LEAK, status, extra="www-authenticate: Bearer\r\n")))
    running = serve(document({"teacher": teacher}))
    got, headers, body = running.client.chat()
    assert (got, body["error"]["code"]) == (502, "upstream_error")
    assert "sk-pro" not in str(body)
    assert "www-authenticate" not in headers
    assert any("refuses our key" in record.message for record in caplog.records)
    assert b"sk-pro" not in running.client.send("GET", "/metrics")[2]


@pytest.mark.parametrize("key", ["sk-0123456789", "sk-abc/defghi"])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "529 Busy"])
def test_the_key_of_somebody_elses_engine_is_struck_out_of_its_body_and_its_headers(
    serve: Serve, engine: Make, monkeypatch: pytest.MonkeyPatch, status: str, key: str
) -> None:
    monkeypatch.setenv("OWN_KEY", key)
    escaped = key.replace("/", r"\/")
    said = json.dumps({"error": {"message": f"no quota for {key}, KEY"}}).replace("KEY", escaped).encode()
    more = f"x-debug: Bearer {key}\r\nx-json: {escaped}\r\nretry-after: {key}\r\nx-other: as it is\r\n"
    teacher = engine("teacher", script=says(response(said, status, extra=more)))
    external = ExternalEngine(url=f"{teacher.url}/v1", model="big", api_key_env="OWN_KEY")
    running = serve(static_document({"teacher": external}, RouterConfig()), retry_share=0.0)
    body = b'{"model":"auto","messages":[{"role":"user","content":"x"}]}'
    got, headers, raw = running.client.send("POST", "/v1/chat/completions", body)
    assert teacher.seen[0].headers["authorization"] == f"Bearer {key}"
    assert (got, len(raw)) == (int(status[:3]), len(said))
    assert headers["x-debug"] == "Bearer " + "*" * len(key)
    assert (headers["x-json"], headers["x-other"]) == ("*" * len(escaped), "as it is")
    for spelling in (key, escaped):
        assert spelling.encode() not in raw
        assert spelling not in " ".join(headers.values())


def test_a_429_passes_where_no_other_arm_may_answer(serve: Serve, engine: Make) -> None:
    busy = response(b'{"error":{"message":"slow down"}}', "429 Too Many Requests", extra="retry-after: 7\r\n")
    teacher, student = engine("teacher"), engine("student", script=says(busy))
    running = serve(document({"teacher": teacher, "student": student}, default={"student": 1.0}), retry_share=0.0)
    for model in ("student", "auto"):  # by name; and past the budget
        status, headers, body = running.client.chat(model=model)
        assert (status, headers["retry-after"], body["error"]["message"]) == (429, "7", "slow down")
    assert not teacher.seen


@pytest.mark.parametrize("kind", ["text/html", "APPLICATION/JSON"])
def test_a_5xx_keeps_its_status_and_retry_after_and_passes_only_as_json(serve: Serve, engine: Make, kind: str) -> None:
    page = response(b"{}" if "JSON" in kind else b"<html>", "529 Busy", kind=kind, extra="retry-after: 9\r\n")
    running = serve(document({"teacher": engine("teacher", script=says(page))}))
    status, headers, body = running.client.chat()
    assert (status, headers["retry-after"]) == (529, "9")
    assert body == {} if "JSON" in kind else body["error"]["code"] == "upstream_error"


@pytest.mark.parametrize("base", ["", "/v1", "/v1beta/openai", "/api/v3", "/compatible-mode/v1/"])
def test_an_engine_is_asked_below_its_own_path(serve: Serve, engine: Make, base: str) -> None:
    teacher = engine("teacher")
    meant = document({"teacher": teacher})
    slots = {"teacher": meant.slots["teacher"].model_copy(update={"url": teacher.url + base})}
    running = serve(meant.model_copy(update={"slots": slots}))
    assert running.client.chat()[0] == 200
    assert teacher.seen[0].path == (base.rstrip("/") or "/v1") + "/chat/completions"


def test_an_engine_that_closes_after_each_reply_without_saying_so_is_asked_anew(serve: Serve, engine: Make) -> None:
    """It closes right after it writes, on the gateway's own event loop: before the gateway can have read the reply."""
    teacher, student = engine("teacher"), engine("student")

    async def closes(seen: object, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b'{"id":"x"}'))
        await writer.drain()
        writer.transport.close()

    teacher.script = closes
    running = serve(document({"teacher": teacher, "student": student}))
    client = Client(running.port, Metrics())
    with ThreadPoolExecutor(8) as clients:
        statuses = list(clients.map(lambda _: client.chat()[0], range(REQUESTS)))
    assert sum(running.gateway.metrics.failures.values()) < REQUESTS / 1000
    assert statuses == [200] * REQUESTS
    assert teacher.connections >= len(teacher.seen) >= 0.999 * REQUESTS
    assert not running.gateway.upstreams.down(teacher.url)


def test_a_connection_that_ends_under_a_request_puts_no_endpoint_aside(serve: Serve, engine: Make) -> None:
    """It may have been stale: the request may not be sent twice, and the engine is not to blame."""
    teacher = engine("teacher")
    running = serve(document({"teacher": teacher}), engine_breaker={"calls": 2, "first_pause_seconds": 5})
    for ends in range(1, 4):
        teacher.script = None
        assert running.client.chat()[0] == 200
        teacher.script = says("reset")
        assert running.client.chat()[0] == 502
        assert running.gateway.upstreams.opened() == {}, ends
        assert (len(teacher.seen), teacher.connections) == (2 * ends, ends)
    for _ in range(3):
        assert running.gateway.upstreams.opened() == {}
        assert running.client.chat()[0] == 502  # on a connection of its own
    assert running.gateway.upstreams.opened()


def test_a_429_a_client_that_goes_and_a_few_failures_put_no_endpoint_aside(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher", script=says(response(b"{}", "429 Too Many Requests")))
    running = serve(document({"teacher": teacher}), engine_breaker={"calls": 4})
    for _ in range(8):
        assert running.client.chat()[0] == 429
    teacher.script = says(5.0)
    for _ in range(8):
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            body = b'{"model":"auto","messages":[]}'
            head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body)
            asked = len(teacher.seen)
            client.sendall(head + body)
            eventually(lambda: len(teacher.seen) > asked)  # noqa: B023
    eventually(lambda: running.gateway.metrics.in_flight == 0)
    teacher.script = says(response(b"{}", "500 Internal Server Error"))
    for failures in range(4):
        assert running.gateway.upstreams.opened() == {}, failures
        assert running.client.chat()[0] == 500
    assert running.gateway.upstreams.opened() == {f"127.0.0.1:{teacher.port}/v1": "open"}


@pytest.mark.parametrize(("stream", "opens"), [(True, True), (False, False)])
def test_slow_first_bytes_put_an_endpoint_aside_where_replies_stream(
    serve: Serve, engine: Make, stream: bool, opens: bool
) -> None:
    teacher = engine("teacher", delay=0.1)
    teacher.script = says(0.1, SSE_HEAD + chunk(event("a", finish="stop")) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    teacher.script = teacher.script if stream else says(0.1, response(b"{}"))
    rule = {"calls": 2, "slow_seconds": 0.05, "first_pause_seconds": 60, "longest_pause_seconds": 60}
    running = serve(document({"teacher": teacher}), engine_breaker=rule)
    for _ in range(2):
        assert running.client.chat(stream=stream)[0] == 200
    assert bool(running.gateway.upstreams.opened()) is opens


def test_a_long_reply_that_does_not_stream_is_no_failure_of_its_engine(serve: Serve, engine: Make) -> None:
    teacher, student = engine("teacher", delay=1.0), engine("student")
    running = serve(document({"teacher": teacher, "student": student}), first_byte_seconds=0.8, idle_seconds=0.2)
    for stream in (None, False):
        status, headers, _ = running.client.chat(**({} if stream is None else {"stream": stream}))
        assert (status, headers["x-understudy-arm"]) == (200, "teacher")
    assert not running.gateway.metrics.failures
    teacher.script = says(60.0)
    status, headers, _ = running.client.chat(stream=True)
    assert (status, headers["x-understudy-arm"]) == (200, "student")
    assert running.gateway.metrics.failures == {("teacher", "no_first_byte"): 1}


def test_one_that_takes_too_long_ends_by_504_and_asks_nobody_else(serve: Serve, engine: Make) -> None:
    teacher, student = engine("teacher", delay=30.0), engine("student")
    running = serve(document({"teacher": teacher, "student": student}), reply_seconds=0.3, engine_breaker=ONE_CALL)
    status, _, body = running.client.chat()
    assert (status, body["error"]["code"]) == (504, "upstream_timeout")
    assert "gateway.reply_seconds" in body["error"]["message"]
    assert teacher.closed.wait(60)
    assert not student.seen
    assert running.gateway.upstreams.opened() == {}


def test_a_reply_that_begins_early_and_comes_late_is_waited_for_but_not_for_ever(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    body = b'{"id": "x", "usage": {"total_tokens": 7}}'
    whole = response(body)
    teacher.script = says(whole[: -len(body)], 1.0, body)
    running = serve(document({"teacher": teacher}), first_byte_seconds=0.8, idle_seconds=0.2, reply_seconds=3)
    assert running.client.chat()[2] == json.loads(body)
    teacher.script = says(whole[:-1], 30.0)
    with pytest.raises(http.client.IncompleteRead):
        running.client.chat()
    assert running.gateway.metrics.failures == {("teacher", "silent_within_reply"): 1}


def test_each_engine_gets_its_own_control_tokens_split_anew_also_where_it_stands_in(serve: Serve, engine: Make) -> None:
    teacher, student = engine("teacher"), engine("student", script=says("reset"))
    made = document({"teacher": teacher, "student": student}, default={"student": 1.0})
    tokens = {"teacher": ("<|end|>",), "student-a": ("[INST]", "<|end|>")}
    slots = {name: one.model_copy(update={"control_tokens": tokens[name]}) for name, one in made.slots.items()}
    running = serve(made.model_copy(update={"slots": slots}))
    status, headers, _ = running.client.chat("<s>bold</s> [INST] <|end|>")
    assert (status, headers["x-understudy-arm"]) == (200, "teacher")
    said = [one.seen[0].json["messages"][0]["content"].replace("\u200b", "~") for one in (student, teacher)]
    assert said == ["<s>bold</s> [~INST] <~|end|>", "<s>bold</s> [INST] <~|end|>"]
    assert running.spool.exchanges[0].messages[0]["content"] == "<s>bold</s> [INST] <|end|>"


def test_a_token_of_the_engine_in_a_name_is_refused_before_anybody_is_asked(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    made = document({"teacher": teacher})
    slots = {name: one.model_copy(update={"control_tokens": ("@@",)}) for name, one in made.slots.items()}
    running = serve(made.model_copy(update={"slots": slots}))
    tools = [{"type": "function", "function": {"name": "a@@b"}}]
    status, headers, body = running.client.chat("hello", tools=tools)
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "control_token", "tools[0].function.name")
    assert "x-understudy-arm" not in headers
    assert not teacher.seen
    assert running.client.chat("hello", tools=[{"type": "function", "function": {"name": "<s>"}}])[0] == 200
