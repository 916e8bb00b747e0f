"""Connections to engines: replies in any pieces, and which connections are used again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import request, talk
from tests.serving.gateway.upstream import Engine, chunk, response, says

Serve = Callable[..., Running]


def test_heads_chunks_and_trailers_of_an_engine_may_come_in_any_pieces(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20", 0.03, b"0 OK\r\ntransfer-encoding: chu", 0.03,
        b"nked\r\ntrailer: x-a\r\n\r\n5", 0.03, b"\r\nhel", 0.03, b"lo\r\n0\r\nx-a: 1\r\n", 0.03, b"\r\n",
    )  # fmt: skip
    got, end = talk(gateway.port, [request()], until=b"\r\n0\r\n\r\n")
    assert b"hel" in got
    assert got.endswith(b"0\r\n\r\n")
    assert got.count(b"HTTP/1.1") == 1
    assert end == "open"
    teacher.script = None
    assert talk(gateway.port, [request()])[0].startswith(b"HTTP/1.1 200")


def test_a_body_that_ends_with_the_connection_is_passed_whole(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nhello", 0.05, b"world", "close")
    got, _ = talk(gateway.port, [request()], until=b"\r\n0\r\n\r\n")
    assert b"hello" in got
    assert got.endswith(b"world\r\n0\r\n\r\n")


def test_bytes_after_an_engines_message_reach_nobody(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(response(b"{}") + b"EXTRA")
    got, _ = talk(gateway.port, [request(extra=b"connection: close\r\n")], until=None)
    assert got.endswith(b"{}")
    teacher.script = None
    assert talk(gateway.port, [request()])[0].startswith(b"HTTP/1.1 200")


def test_two_replies_in_one_piece_are_one_reply_to_the_client(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(response(b'{"a":1}') + response(b'{"b":22}', "500 Internal Server Error"))
    got, _ = talk(gateway.port, [request(extra=b"connection: close\r\n")], until=None)
    assert got.startswith(b"HTTP/1.1 200")
    assert got.endswith(b'\r\n\r\n{"a":1}')
    assert gateway.spool.exchanges[0].status == 200


LENGTH, CHUNKED = b"content-length: 2\r\n", b"transfer-encoding: chunked\r\n"


@pytest.mark.parametrize("fields", [
    CHUNKED + LENGTH, LENGTH + CHUNKED, LENGTH + b"transfer-encoding: identity\r\n",
    LENGTH + b"transfer-encoding: gzip, chunked\r\n", CHUNKED + b"x-more: 1\r\n" + LENGTH, LENGTH + LENGTH,
])  # fmt: skip
def test_a_reply_with_two_framings_is_a_broken_reply(gateway: Running, teacher: Engine, fields: bytes) -> None:
    """Its body is `{}` in chunks by the one, and `2` and a line end by the other."""
    teacher.script = says(b"HTTP/1.1 200 OK\r\n", 0.03, fields, 0.03, b"\r\n" + chunk(b"{}") + b"0\r\n\r\n", 60.0)
    got, _ = talk(gateway.port, [request()], until=b"}}")
    assert got.startswith(b"HTTP/1.1 502")
    assert b"broke off before its reply" in got
    assert got.count(b"HTTP/1.1 ") == 1
    teacher.script = None
    assert talk(gateway.port, [request()])[0].startswith(b"HTTP/1.1 200")
    assert teacher.connections == 2


def test_a_reply_without_end_to_its_head_is_given_up(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(b"HTTP/1.1 200 OK\r\n", *[b"x: " + b"y" * 60_000 + b"\r\n"] * 10, 60.0)
    got, _ = talk(gateway.port, [request()], until=b"}}")
    assert got.startswith(b"HTTP/1.1 502")
    assert b"its head is above" in got


Make = Callable[..., Engine]


def test_a_stale_connection_is_not_used_again(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    running, now = serve(document({"teacher": teacher}), reuse_seconds=1), 0.0
    running.gateway.upstreams._clock = lambda: now
    running.client.chat()
    running.client.chat()
    assert teacher.connections == 1
    now += 1.1
    running.client.chat()
    assert teacher.connections == 2


@pytest.mark.parametrize(("said", "used"), [("timeout=30, max=9", 1), ("timeout=2", 1), ("timeout=1", 2), ("max=5", 1)])
def test_an_engine_says_how_long_it_keeps_a_connection(serve: Serve, engine: Make, said: str, used: int) -> None:
    teacher = engine("teacher", script=says(response(b"{}", extra=f"keep-alive: {said}\r\n")))
    running = serve(document({"teacher": teacher}))
    for _ in range(2):
        assert running.client.chat()[0] == 200
    assert teacher.connections == used


def test_trailers_and_fields_of_the_hop_reach_no_client(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: X-Hop , keep-alive\r\n"
        b"x-hop: 1\r\nx-end: 2\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\ncontent-type: text/html\r\nx-late: 3\r\n\r\n"
    )
    got, _ = talk(gateway.port, [request(extra=b"connection: x-mine\r\nx-mine: 1\r\nx-other: 2\r\n")], b"0\r\n\r\n")
    assert got.count(b"content-type") == 1
    assert b"x-end: 2" in got
    assert b"x-hop" not in got.lower()
    assert b"x-late" not in got
    seen = teacher.seen[0].headers
    assert ("x-mine" in seen, seen["x-other"]) == (False, "2")
