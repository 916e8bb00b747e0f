"""The reply on its way to the client, and how it says that it ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import cast

import pytest

from serving.gateway.http.reply import ClientReply
from serving.gateway.http.wire import Headers
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


class Written:
    """A client's transport that keeps each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def abort(self) -> None:
        self.aborted = True


SIZED: Headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
EVENTS: Headers = [(b"content-type", b"text/event-stream"), (b"transfer-encoding", b"chunked")]


def begun(headers: Headers, *, follows: bool) -> tuple[ClientReply, list[bytes], Written]:
    transport = Written()
    made = ClientReply(cast(asyncio.Transport, transport), [b"x-ours: 1\r\n"], 200, headers, True, False, follows)
    return made, transport.writes, transport


def test_a_head_that_bytes_follow_goes_with_them_and_any_other_at_once() -> None:
    reply, writes, _ = begun(SIZED, follows=True)
    assert writes == []
    reply.body(b"{}", 100)
    reply.end()
    assert len(writes) == 1
    assert writes[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert writes[0].endswith(b"\r\n\r\n{}")
    reply, writes, _ = begun(SIZED, follows=False)
    assert writes[0].endswith(b"content-length: 2\r\n\r\n")
    reply.body(b"{}", 100)
    assert writes[1:] == [b"{}"]


def test_a_head_waits_for_no_event_that_is_incomplete() -> None:
    reply, writes, _ = begun(EVENTS, follows=True)
    reply.body(b"data: half", 100)
    assert len(writes) == 1
    assert writes[0].endswith(b"transfer-encoding: chunked\r\n\r\n")
    reply.body(b" and half\n\n", 100)
    reply.end()
    assert b"".join(writes[1:]) == b"15\r\ndata: half and half\n\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("headers", [SIZED, EVENTS])
def test_a_head_that_nothing_follows_after_all_is_written_with_the_end(headers: Headers) -> None:
    reply, writes, _ = begun(headers, follows=True)
    reply.end()
    assert writes[0].startswith(b"HTTP/1.1 200 OK\r\n")


def test_what_breaks_off_before_its_first_bytes_has_its_head_before_the_error_event() -> None:
    reply, writes, transport = begun(EVENTS, follows=True)
    reply.broken("gone")
    told = b"".join(writes)
    assert told.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"upstream_broken"' in told
    assert told.endswith(b"0\r\n\r\n")
    assert not transport.aborted
    reply, writes, transport = begun(SIZED, follows=True)
    reply.broken("gone")
    assert transport.aborted
