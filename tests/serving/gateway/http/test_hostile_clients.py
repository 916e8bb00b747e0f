"""What clients and engines do that mean harm, on raw sockets: bounds, framing that misleads, halves of requests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from deploy.engines.external import ExternalEngine
from serving.gateway.config import ApiKey
from serving.gateway.http import protocol
from serving.gateway.keys import key_hmac
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import BODY, DONE, request, talk
from tests.serving.gateway.upstream import Engine, Seen
from tests.waiting import eventually

Serve = Callable[..., Running]

HIDDEN = b"GET /v1/models HTTP/1.1\r\nhost: y\r\n\r\n"
H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMA\r\n"


def test_an_offer_to_upgrade_is_ignored_and_never_hides_a_request(gateway: Running, teacher: Engine) -> None:
    """Java's client makes it by default; whatever comes as the body is the body."""
    whole = request(extra=H2C)
    for parts in ([whole], [whole[: -len(BODY)], BODY[:9], BODY[9:]]):
        got, _ = talk(gateway.port, parts)
        assert got.startswith(b"HTTP/1.1 200")
    assert [seen.body for seen in teacher.seen] == [BODY, BODY]
    assert not {"upgrade", "http2-settings"} & set(teacher.seen[0].headers)
    head = request(HIDDEN, H2C + b"x-request-id: one\r\n")[: -len(HIDDEN)]
    got, _ = talk(gateway.port, [head, HIDDEN + request()])
    assert got.count(b"HTTP/1.1 ") == 2
    assert got.startswith(b"HTTP/1.1 400")
    assert b'"object":"list"' not in got
    got, end = talk(gateway.port, [b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n" + HIDDEN], until=None)
    assert (got[:12], got.count(b"HTTP/1.1 "), end) == (b"HTTP/1.1 400", 1, "eof")


def test_a_pipelined_request_is_asked_for_its_body_too(gateway: Running, teacher: Engine) -> None:
    teacher.delay = 0.1
    waiting = request(extra=b"expect: 100-continue\r\n")[: -len(BODY)]
    got, _ = talk(gateway.port, [request() + waiting], until=b"HTTP/1.1 100 Continue\r\n\r\n")
    assert got.endswith(DONE + b"HTTP/1.1 100 Continue\r\n\r\n")
    long = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n"
    got, end = talk(gateway.port, [request() + long], until=None)
    assert got.count(b"HTTP/1.1 413") == 1
    assert end == "eof"


def test_a_body_that_can_never_be_complete_is_refused_at_once(serve: Serve, teacher: Engine) -> None:
    gateway = serve(document({"teacher": teacher}), half_close=True)
    teacher.delay = 0.1
    for first in (b"", request()):
        got, end = talk(gateway.port, [first + request()[:-5]], until=None, half_close=True)
        assert got.count(b"HTTP/1.1 400") == 1
        assert b"closed within the request" in got
        assert (got.count(DONE), end) == (1 if first else 0, "eof")


CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [[CHUNKED, b"ffffffffffffffffff\r\n"], [CHUNKED, b"5\n{....\n0\n\n"], [CHUNKED + b"1\r\n{", b"zz"]],
)  # fmt: skip
def test_framing_that_goes_wrong_within_a_body_is_answered(gateway: Running, parts: list[bytes]) -> None:
    got, end = talk(gateway.port, parts, until=None)
    assert got.startswith(b"HTTP/1.1 400")
    assert b"malformed_request" in got
    assert end == "eof"
    eventually(lambda: gateway.gateway.metrics.in_flight == 0)


def test_a_url_beyond_the_limit_is_a_head_beyond_the_limit(gateway: Running) -> None:
    got, _ = talk(gateway.port, [b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n"], until=None)
    assert got.startswith(b"HTTP/1.1 431")


def test_bodies_are_bounded_over_all_connections(serve: Serve, teacher: Engine) -> None:
    embedder = ExternalEngine(url="http://127.0.0.1:9", model="e")
    running = serve(document({"teacher": teacher}), embeddings=embedder, max_buffered=1 << 20)
    gateway = running.gateway
    long = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 700000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        sock.sendall(long + b" " * 600_000)
        eventually(lambda: gateway.buffered == 600_000)
        assert gateway.metrics.in_flight == 1
        got, _ = talk(running.port, [long + b" " * 500_000], until=b"}}")
        assert got.startswith(b"HTTP/1.1 503")
        assert b"retry-after" in got
        other = long.replace(b"/chat/completions", b"/embeddings")
        assert talk(running.port, [other + b" " * 500_000], until=b"}}")[0].startswith(b"HTTP/1.1 503")
        assert talk(running.port, [request()])[0].startswith(b"HTTP/1.1 200")
    eventually(lambda: gateway.buffered == gateway.metrics.in_flight == 0)


def test_a_pipelined_request_that_is_lost_gives_its_bytes_back(
    gateway: Running, teacher: Engine, loop: asyncio.AbstractEventLoop
) -> None:
    go = asyncio.Event()

    async def held(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        await teacher.answer(seen, writer)

    teacher.script = held
    with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
        sock.sendall(request() + request())
        eventually(lambda: gateway.gateway.buffered == 2 * len(BODY))
    loop.call_soon_threadsafe(go.set)
    eventually(lambda: gateway.gateway.buffered == 0)
    assert gateway.gateway.metrics.in_flight == 0


def test_a_refused_client_that_goes_on_sending_is_cut_off(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as sock:
        sock.sendall(b"BLAH\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 400")

        def cut() -> bool:
            try:
                return sock.send(b"x") == 0
            except ConnectionError:
                return True

        eventually(cut)


def test_a_wrong_key_is_refused_at_the_head(serve: Serve, teacher: Engine) -> None:
    keys = (ApiKey(hmac=key_hmac("s3cret", "sk-1")),)
    running = serve(document({"teacher": teacher}), key_secret="s3cret", api_keys=keys)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n%bcontent-length: 700000\r\n\r\n"
    for unread in (head % b"", head % b"expect: 100-continue\r\n", CHUNKED):
        got, end = talk(running.port, [unread], until=None)
        assert got.startswith(b"HTTP/1.1 401")
        assert end == "eof"
    got, end = talk(running.port, [request(), request(extra=b"authorization: Bearer sk-1\r\n")])
    assert got.startswith(b"HTTP/1.1 401")
    assert (got.count(b"HTTP/1.1 200"), end) == (1, "open")
