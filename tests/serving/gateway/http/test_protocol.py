"""Corners of HTTP, on raw sockets: what a client or an engine may do, and what must come of it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable

import h11
import pytest

from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import BODY, SECONDS, STREAM, request, talk
from tests.serving.gateway.upstream import SSE_HEAD, Engine, Seen, chunk, event, says
from tests.waiting import eventually

Serve = Callable[..., Running]
LIMITS = ("first_byte_seconds", "idle_seconds", "reply_seconds", "head_seconds", "body_seconds")
HEALTH = b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"


def test_a_head_and_a_body_may_come_in_any_pieces(gateway: Running) -> None:
    whole = request()
    pieces = [whole[:10], whole[10:40], whole[40:-5], whole[-5:]]
    got, end = talk(gateway.port, pieces)
    assert got.startswith(b"HTTP/1.1 200")
    assert end == "open"


def test_pipelined_requests_are_answered_in_order(gateway: Running, teacher: Engine) -> None:
    teacher.delay = 0.05
    mixed = request(extra=b"x-request-id: one\r\n") + b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"
    mixed += request(extra=b"x-request-id: two\r\n") + request(b"{", b"x-request-id: three\r\n")
    got, _ = talk(gateway.port, [mixed], until=b'"code":"invalid_request"}}')
    marks = [b"x-request-id: one", b'{"status":"ok"}', b"x-request-id: two", b"x-request-id: three"]
    places = [got.find(mark) for mark in marks]
    assert all(place >= 0 for place in places)
    assert places == sorted(places)
    assert got.count(b"HTTP/1.1 ") == 4


def test_a_thousand_pipelined_refusals_do_not_overflow_the_stack(gateway: Running, teacher: Engine) -> None:
    teacher.delay = 0.2
    got, _ = talk(gateway.port, [request() + request(b"{") * 1000], until=b'invalid_request"}}', times=1000)
    assert got.count(b"HTTP/1.1 400") == 1000


def test_continue_is_sent_to_a_client_that_waits_for_it(gateway: Running) -> None:
    whole = request(extra=b"expect: 100-continue\r\n")
    head, body = whole[: -len(BODY)], whole[-len(BODY) :]
    got, _ = talk(gateway.port, [head, body])
    assert got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_a_chunked_request_is_understood(gateway: Running, teacher: Engine) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    got, _ = talk(gateway.port, [head + chunk(BODY[:7]), chunk(BODY[7:]) + b"0\r\nx-trailer: 1\r\n\r\n"])
    assert got.startswith(b"HTTP/1.1 200")
    assert teacher.seen[0].body == BODY


def test_length_and_chunks_together_are_refused(gateway: Running, teacher: Engine) -> None:
    got, end = talk(gateway.port, [request(extra=b"transfer-encoding: chunked\r\n")], until=None)
    assert got.startswith(b"HTTP/1.1 400")
    assert end == "eof"
    assert not teacher.seen


def test_what_is_not_http_gets_an_error_object(gateway: Running) -> None:
    got, end = talk(gateway.port, [b"BLAH\r\n\r\n"], until=None)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["error"]["code"] == "malformed_request"
    assert end == "eof"


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"OPTIONS", b"DELETE"])
def test_another_method_on_a_completion_path_is_not_allowed(gateway: Running, method: bytes) -> None:
    head = b" /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    got, _ = talk(gateway.port, [method + head], until=None)
    assert got.startswith(b"HTTP/1.1 405")
    assert b"allow: POST" in got
    assert b'"method_not_allowed"' in got


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/health", "/v1/models", "/nowhere"])
def test_the_reply_to_head_is_a_head_alone_and_the_next_reply_follows_it(gateway: Running, path: str) -> None:
    asked, then = f"HEAD {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode(), HEALTH[:-2] + b"connection: close\r\n\r\n"
    for parts in ([asked, then], [asked + then]):
        got, end = talk(gateway.port, parts, until=None)
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="HEAD", target=path, headers=[("host", "a")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(got)
        head = reader.next_event()
        assert isinstance(head, h11.Response)
        assert head.status_code == (404 if path == "/nowhere" else 405)
        assert isinstance(reader.next_event(), h11.EndOfMessage)
        assert reader.trailing_data[0].startswith(b"HTTP/1.1 200 OK\r\n")
        assert got.endswith(b'\r\n\r\n{"status":"ok"}')
        assert end == "eof"


@pytest.mark.parametrize(("rest", "status"), [
    (b"\r\n", b"400"), (b"host: a\r\ntransfer-encoding: gzip\r\n\r\n", b"501"),
    (b"host: a\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
])  # fmt: skip
def test_a_head_request_that_is_refused_gets_no_body(gateway: Running, rest: bytes, status: bytes) -> None:
    got, end = talk(gateway.port, [b"HEAD /health HTTP/1.1\r\n" + rest], until=None)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"content-length: " in head
    assert b"connection: close" in head
    assert (body, end) == (b"", "eof")


def test_a_client_of_http_1_0_gets_no_chunks_and_a_closed_connection(gateway: Running) -> None:
    got, end = talk(gateway.port, [request(STREAM, version=b"1.0")], until=None)
    assert b"transfer-encoding" not in got
    assert got.endswith(b"data: [DONE]\n\n")
    assert end == "eof"


def test_a_body_that_says_it_is_too_long_is_refused_before_it_is_sent(serve: Serve, teacher: Engine) -> None:
    gateway = serve(document({"teacher": teacher}), max_body=1000)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\n\r\n"
    got, end = talk(gateway.port, [head], until=None)
    assert got.startswith(b"HTTP/1.1 413")
    assert end == "eof"
    unsaid = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    got, _ = talk(gateway.port, [unsaid, *[chunk(b" " * 400)] * 5], until=None)
    assert got.startswith(b"HTTP/1.1 413")
    assert got.count(b"HTTP/1.1") == 1
    assert not teacher.seen


def test_a_head_without_end_is_refused(serve: Serve, teacher: Engine) -> None:
    gateway = serve(document({"teacher": teacher}), max_head=2000)
    many = b"".join(b"x-%d: %s\r\n" % (i, b"y" * 100) for i in range(50))
    got, end = talk(gateway.port, [b"POST /v1/chat/completions HTTP/1.1\r\n" + many], until=None)
    assert got.startswith(b"HTTP/1.1 431")
    assert end == "eof"
    got, _ = talk(gateway.port, [b"GET /health HTTP/1.1\r\nx: ", b"y" * 1500, b"y" * 1500], until=None)
    assert got.startswith(b"HTTP/1.1 431")


def test_a_client_that_drips_its_request_is_cut_off(serve: Serve, teacher: Engine) -> None:
    gateway = serve(document({"teacher": teacher}), head_seconds=0.2, body_seconds=0.4)
    got, end = talk(gateway.port, [b"POST /v1/chat/completions HTTP/1.1\r\nhost"], until=None)
    assert got.startswith(b"HTTP/1.1 408")
    assert end == "eof"
    got, _ = talk(gateway.port, [request()[:-5]], until=None)
    assert got.startswith(b"HTTP/1.1 408")
    assert talk(gateway.port, [], until=None)[1] in ("eof", "reset")


@pytest.mark.parametrize("first", [b"", HEALTH])
def test_a_client_that_may_half_close_still_gets_its_replies(serve: Serve, teacher: Engine, first: bytes) -> None:
    gateway = serve(document({"teacher": teacher}), half_close=True)
    teacher.delay = 0.3
    got, end = talk(gateway.port, [first + request()], until=None, half_close=True)
    assert (got.count(b"HTTP/1.1 "), got.count(b"HTTP/1.1 200 OK")) == ((2, 2) if first else (1, 1))
    assert got.endswith(b"}")
    assert end == "eof"
    got, end = talk(gateway.port, [HEALTH], until=None, half_close=True)
    assert (got[:15], end) == (b"HTTP/1.1 200 OK", "eof")


def test_a_stream_that_flows_goes_on_for_a_client_that_may_half_close(serve: Serve, teacher: Engine) -> None:
    gateway = serve(document({"teacher": teacher}), half_close=True)
    begun, flow = SSE_HEAD + chunk(event("begun")), says(*[chunk(event("x")), 0.02] * 20)
    half_closed = threading.Event()

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        while not half_closed.is_set():
            await asyncio.sleep(0.01)
        await flow(seen, writer)
        writer.write(chunk(event("", finish="stop")) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    teacher.script = script
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=SECONDS) as sock:
        sock.sendall(request(STREAM))
        got = b""
        while b"begun" not in got:
            got += sock.recv(65536)
        sock.shutdown(socket.SHUT_WR)
        half_closed.set()
        while data := sock.recv(65536):
            got += data
    assert got.count(event("x")) == 20
    assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert not teacher.closed.is_set()
    eventually(lambda: gateway.spool.raw)
    assert [one.outcome for one in gateway.spool.raw] == ["complete"]


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("state", ["before the head", "silent", "flowing"])
def test_a_client_that_leaves_stops_the_engines_work(serve: Serve, teacher: Engine, state: str, half: bool) -> None:
    """Nothing else ends it: every limit of time is far beyond the wait, and none is written to that has half-closed."""
    gateway = serve(document({"teacher": teacher}), **dict.fromkeys(LIMITS, 10 * SECONDS))
    begun, flow = SSE_HEAD + chunk(event("begun")), [chunk(event("x")), 0.05] * 12_000
    teacher.script = says(*{
        "before the head": [600.0], "silent": [begun, 600.0], "flowing": [begun, *flow],
    }[state])  # fmt: skip
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=SECONDS) as sock:
        sock.sendall(request(STREAM))
        eventually(lambda: teacher.seen)
        got = b""
        while state != "before the head" and b"begun" not in got:
            got += sock.recv(65536)
        if half:
            sock.shutdown(socket.SHUT_WR)
            assert teacher.closed.wait(SECONDS)
    assert teacher.closed.wait(SECONDS)
    eventually(lambda: gateway.spool.raw)
    assert gateway.spool.exchanges[0].finish_reason == "cancelled"
    assert gateway.gateway.metrics.in_flight == 0


def test_a_slow_reader_holds_the_engine_back(gateway: Running, teacher: Engine) -> None:
    block = b"x" * 100_000
    size = 400 * len(block)
    teacher.script = says(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, *[block] * 400)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=SECONDS) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(request())
        eventually(lambda: gateway.gateway.metrics.in_flight == 1)
        time.sleep(0.2)  # time in which it could all have gone into buffers
        assert gateway.gateway.metrics.in_flight == 1
        got = 0
        while got < size:
            data = sock.recv(1 << 20)
            assert data
            got += len(data)
    assert got >= size


@pytest.mark.parametrize("last", [b"data: [DONE]\n\n", b"data: [DONE]\r\n\r\n"])
def test_a_client_that_leaves_after_the_last_event_has_had_it_all(
    gateway: Running, teacher: Engine, last: bytes
) -> None:
    """Clients of OpenAI close at [DONE]; what then ends the framing, and when, they do not wait for."""
    teacher.script = says(SSE_HEAD, chunk(event("ab", "chatcmpl-1", "stop")), chunk(last), 30.0, b"0\r\n\r\n")
    got, _ = talk(gateway.port, [request(STREAM)], until=b"[DONE]")
    assert got.endswith(last + b"\r\n")
    eventually(lambda: gateway.spool.raw)
    assert [one.outcome for one in gateway.spool.raw] == ["complete"]
    assert gateway.gateway.metrics.events["cancelled"] == 0
    assert gateway.spool.exchanges[0].shadow
    eventually(teacher.closed.is_set)
