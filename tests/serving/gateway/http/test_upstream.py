"""Connections to engines: replies in any pieces, and which connections are used again."""

from __future__ import annotations

import time
from collections.abc import Callable

from serving.gateway.http.upstream import FAILURES_5XX, FIRST_PAUSE, Upstreams
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import request, talk
from tests.serving.gateway.upstream import Engine, response, says

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


def test_a_reply_without_end_to_its_head_is_given_up(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(b"HTTP/1.1 200 OK\r\n", *[b"x: " + b"y" * 60_000 + b"\r\n"] * 10, 60.0)
    got, _ = talk(gateway.port, [request()], until=b"}}")
    assert got.startswith(b"HTTP/1.1 502")
    assert b"its head is above" in got


Make = Callable[..., Engine]


def test_a_stale_connection_is_not_used_again(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    running = serve(document({"teacher": teacher}), reuse_seconds=1)
    running.client.chat()
    running.client.chat()
    assert teacher.connections == 1
    time.sleep(1.1)
    running.client.chat()
    assert teacher.connections == 2


def test_the_replica_with_the_least_to_do_is_asked_and_one_that_failed_only_if_all_did() -> None:
    now = [0.0]
    upstreams = Upstreams(4.0, lambda: now[0])
    urls = "http://127.0.0.1:1, http://127.0.0.1:2"
    first, second = (upstreams.pick(url.strip()) for url in urls.split(","))
    first.outstanding = 1
    assert upstreams.pick(urls) is second
    second.failed()
    assert upstreams.pick(urls) is first
    assert not upstreams.down(urls)
    first.failed()
    assert upstreams.pick(urls) is second
    assert upstreams.down(urls)
    now[0] += FIRST_PAUSE
    assert not upstreams.down(urls)


def test_an_engine_that_keeps_answering_5xx_counts_as_failed_until_it_answers_well() -> None:
    endpoint = Upstreams(4.0, lambda: 0.0).pick("http://127.0.0.1:1")
    for _ in range(FAILURES_5XX - 1):
        endpoint.answered(500)
    assert not endpoint.down
    endpoint.answered(500)
    assert endpoint.down
    endpoint.answered(200)
    assert not endpoint.down
