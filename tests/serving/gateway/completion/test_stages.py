"""Stages that somebody adds: they see what earlier ones found, refuse, wait, and are held to the deadline."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from serving.gateway.completion.context import RequestContext
from serving.gateway.completion.stages import STAGES, RequestStage, Stages
from serving.gateway.errors import TooBusy
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import request
from tests.serving.gateway.upstream import Engine, Seen, response
from tests.waiting import eventually
from understudy.errors import BadRequest

Serve = Callable[..., Running]


def after(stage: RequestStage, earlier: str) -> Stages:
    """The usual stages with `stage` put in after the one named `earlier`."""
    whole: list[RequestStage] = []
    for one in STAGES.whole:
        whole += [one, stage] if getattr(one, "__name__", "") == earlier else [one]
    return replace(STAGES, whole=tuple(whole))


def test_a_stage_that_refuses_is_answered_by_an_error_object(serve: Serve, teacher: Engine) -> None:
    def guard(context: RequestContext) -> None:
        if b"secret" in context.raw and context.ask.tenant == "default":
            raise BadRequest("this text is not let through", code="guarded", param="messages")

    running = serve(document({"teacher": teacher}), stages=after(guard, "parse"))
    status, _, body = running.client.chat("a secret")
    assert (status, body["error"]) == (400, {
        "message": "this text is not let through", "type": "invalid_request_error", "param": "messages",
        "code": "guarded",
    })  # fmt: skip
    assert running.client.chat("no harm")[0] == 200
    assert len(teacher.seen) == 1


def test_a_stage_after_routing_knows_the_arm_and_its_refusal_counts_for_it(serve: Serve, teacher: Engine) -> None:
    def breaker(context: RequestContext) -> None:
        assert context.decision is not None
        raise TooBusy(f"the {context.decision.arm} rests")

    running = serve(document({"teacher": teacher}), stages=after(breaker, "route"))
    status, headers, body = running.client.chat()
    assert (status, body["error"]["message"], headers["retry-after"]) == (503, "the teacher rests", "1")
    assert headers["x-understudy-arm"] == "teacher"
    assert running.gateway.metrics.requests["teacher", "t1", 503] == 1
    assert not teacher.seen


def test_a_stage_may_wait_within_the_deadline_and_not_beyond_it(serve: Serve, teacher: Engine) -> None:
    seconds = [0.0]

    async def remote(context: RequestContext) -> None:
        await asyncio.sleep(seconds[0])

    running = serve(document({"teacher": teacher}), stages=after(remote, "parse"))
    assert running.client.chat()[0] == 200
    seconds[0] = 30.0
    running.gateway.config = running.gateway.config.model_copy(update={"first_byte_seconds": 0.3})
    status, headers, body = running.client.chat()
    assert (status, body["error"]["code"], headers["retry-after"]) == (503, "stage_timeout", "1")
    assert len(teacher.seen) == 1


def test_the_deadline_is_one_for_all_stages_together(serve: Serve, teacher: Engine) -> None:
    async def slow(context: RequestContext) -> None:
        await asyncio.sleep(0.3)

    stages = replace(STAGES, whole=(slow, slow, slow, *STAGES.whole))
    running = serve(document({"teacher": teacher}), stages=stages, first_byte_seconds=0.5)
    assert running.client.chat()[2]["error"]["code"] == "stage_timeout"


def test_a_stage_that_waits_and_refuses_or_fails_is_answered(serve: Serve, teacher: Engine) -> None:
    errors: list[Exception] = [BadRequest("no"), RuntimeError("a fault of ours")]

    async def remote(context: RequestContext) -> None:
        await asyncio.sleep(0)
        raise errors.pop(0)

    running = serve(document({"teacher": teacher}), stages=after(remote, "parse"))
    assert running.client.chat()[0] == 400
    status, _, body = running.client.chat()
    assert (status, body["error"]["message"]) == (500, "the gateway failed; its log says why")
    assert running.gateway.metrics.in_flight == 0


def test_a_client_that_leaves_ends_a_stage_that_waits(serve: Serve, teacher: Engine) -> None:
    ended: list[str] = []

    async def remote(context: RequestContext) -> None:
        ended.append("begun")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    running = serve(document({"teacher": teacher}), stages=after(remote, "parse"))
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        sock.sendall(request())
        eventually(lambda: ended == ["begun"])
    eventually(lambda: ended == ["begun", "cancelled"])
    eventually(lambda: running.gateway.metrics.in_flight == 0)


@pytest.mark.parametrize("length", [10, 100_000])
def test_a_stage_of_the_head_refuses_before_a_long_body_is_sent(serve: Serve, teacher: Engine, length: int) -> None:
    def closed(context: RequestContext) -> None:
        raise TooBusy("not now")

    running = serve(document({"teacher": teacher}), stages=replace(STAGES, head=(*STAGES.head, closed)))
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as sock:
        sock.sendall(b"POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % length)
        if length == 10:
            sock.sendall(b" " * 10)
        assert sock.recv(1000).startswith(b"HTTP/1.1 503")
    eventually(lambda: running.gateway.metrics.in_flight == 0)


Make = Callable[..., Engine]


def refusals(running: Running) -> int:
    """Requests that were answered by 429."""
    return sum(number for (_, _, status), number in running.gateway.metrics.requests.items() if status == 429)


def test_too_many_at_once_are_turned_away(serve: Serve, engine: Make) -> None:
    go = asyncio.Event()

    async def answers(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(response(b"{}"))

    teacher = engine("teacher", script=answers)
    running = serve(document({"teacher": teacher}), max_concurrent=2)
    results: list[tuple[int, dict[str, str]]] = []
    head, body = {"content-type": "application/json"}, b'{"model":"auto","messages":[]}'

    def ask() -> None:
        results.append(running.client.send("POST", "/v1/chat/completions", body, head)[:2])

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    eventually(lambda: running.gateway.metrics.in_flight == 2 and refusals(running) == 4, what="four refusals")
    teacher.loop.call_soon_threadsafe(go.set)
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in results) == [200, 200, 429, 429, 429, 429]
    assert all(headers["retry-after"] == "1" for status, headers in results if status == 429)
    assert running.client.chat()[0] == 200
