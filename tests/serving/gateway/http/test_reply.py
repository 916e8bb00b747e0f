"""The reply on its way to the client, and how it says that it ended."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.raw import STREAM, request, talk
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, response, says


def test_a_stream_is_passed_event_by_event(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(SSE_HEAD, chunk(event("一")), 60.0, chunk(event("二")))
    got, _ = talk(gateway.port, [request(STREAM)], until="一".encode())
    assert "一".encode() in got
    assert "二".encode() not in got


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_stream_that_breaks_off_ends_by_an_error_event(gateway: Running, teacher: Engine, how: str) -> None:
    half = event("cut off")[:30]
    teacher.script = says(SSE_HEAD, chunk(event("whole")), chunk(half), 0.1, how)
    got, end = talk(gateway.port, [request(STREAM)], until=None)
    body = got.partition(b"\r\n\r\n")[2]
    lines = [line for line in body.split(b"\n") if line.startswith(b"data: ")]
    assert b"whole" in lines[0]
    assert json.loads(lines[-1][6:])["error"]["code"] == "upstream_broken"
    assert len(lines) == 2
    assert got.endswith(b"0\r\n\r\n")
    assert end == "eof"
    assert gateway.spool.exchanges[0].finish_reason == "error"


def test_a_stream_that_just_ends_without_its_last_event_is_an_error(gateway: Running, teacher: Engine) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    teacher.script = says(head + event("so far"), 0.05, "close")
    assert b'"upstream_broken"' in talk(gateway.port, [request(STREAM)], until=None)[0]


def test_a_sized_reply_that_breaks_off_is_cut_not_completed(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhel", 0.05, "close")
    got, end = talk(gateway.port, [request()], until=None)
    assert end in ("eof", "reset")
    assert len(got.partition(b"\r\n\r\n")[2]) < 50


Serve = Callable[..., Running]


Make = Callable[..., Engine]


def test_the_engines_own_refusal_passes_unchanged(serve: Serve, engine: Make) -> None:
    engines = both(engine)
    refusal = b'{"error": {"message": "too long", "type": "BadRequestError", "param": null, "code": 400}}'
    engines["teacher"].script = says(response(refusal, "400 Bad Request"))
    running = serve(document(engines))
    status, _, raw = running.client.send(
        "POST", "/v1/chat/completions", b'{"model":"auto","messages":[{"role":"user","content":"x"}]}'
    )
    assert (status, raw) == (400, refusal)
    assert running.spool.exchanges[0].finish_reason == "refused"


def test_a_stream_is_known_however_its_type_is_spelled(gateway: Running, teacher: Engine) -> None:
    head = SSE_HEAD.replace(b"text/event-stream", b"Text/Event-Stream")
    teacher.script = says(head, chunk(event("whole")), 0.1, "close")
    got, _ = talk(gateway.port, [request(STREAM)], until=None)
    assert b'"upstream_broken"' in got


def test_a_stream_that_the_engine_encodes_is_not_held_back(gateway: Running, teacher: Engine) -> None:
    head = SSE_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
    teacher.script = says(head, chunk(b"\x1f\x8b first"), 60.0)
    got, _ = talk(gateway.port, [request(STREAM)], until=b"first")
    assert got.endswith(b"first\r\n")
    teacher.script = says(head, chunk(b"\x1f\x8b second"), 0.1, "close")
    got, _ = talk(gateway.port, [request(STREAM)], until=None)
    assert b"error" not in got
    assert not got.endswith(b"0\r\n\r\n")
