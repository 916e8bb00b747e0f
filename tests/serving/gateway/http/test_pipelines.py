"""Requests that come before earlier ones are answered: none is lost, and none begun for a client that reads nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from serving.gateway.http.protocol import GatewayProtocol
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import SECONDS, request, talk
from tests.serving.gateway.upstream import Engine, response, says
from tests.waiting import eventually

Serve = Callable[..., Running]
HEALTH = b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"
OK = b'{"status":"ok"}'


def test_heads_that_end_within_two_pieces_do_not_add_up(serve: Serve, teacher: Engine) -> None:
    """Each is far below the limit; the pieces are above it and end within a head."""
    gateway = serve(document({"teacher": teacher}), max_head=1000)
    one = request(extra=b"x-padding: %b\r\n" % (b"p" * 60))
    sent = one * 20
    size = (len(sent) // len(one) // 3) * len(one) + 30
    got, end = talk(gateway.port, [sent[:size], sent[size : 2 * size], sent[2 * size :]], times=20)
    assert (got.count(b"HTTP/1.1 200"), end) == (20, "open")


def test_a_head_is_counted_over_all_its_pieces(serve: Serve, teacher: Engine) -> None:
    gateway = serve(document({"teacher": teacher}), max_head=1000)
    begun = HEALTH + HEALTH[:-2] + b"x: "
    for endless in ([b"y" * 600] * 4, [b"y: %b\r\n" % (b"z" * 300)] * 5, [b"\r\n" + b"y: z\r\n" * 300]):
        got, end = talk(gateway.port, [begun, *endless], until=None)
        assert end in ("eof", "reset")
        assert got.count(OK) <= 1
        assert b"408" not in got  # at once, not when its time is over


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[GatewayProtocol]:
    """The connections of clients that come to be, each with a small buffer in the kernel."""
    made: list[GatewayProtocol] = []
    connection_made = GatewayProtocol.connection_made

    def remembered(self: GatewayProtocol, transport: asyncio.Transport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        made.append(self)
        connection_made(self, transport)

    monkeypatch.setattr(GatewayProtocol, "connection_made", remembered)
    return made


@contextlib.contextmanager
def reluctant(port: int) -> Iterator[socket.socket]:
    """A client with a small buffer."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(SECONDS)
        sock.connect(("127.0.0.1", port))
        yield sock


@pytest.mark.parametrize("hot", [True, False])
def test_no_request_begins_while_the_client_reads_no_reply(
    gateway: Running, teacher: Engine, made: list[GatewayProtocol], hot: bool
) -> None:
    text = b'{"x":"%b"}' % (b"y" * 50_000)
    teacher.script = says(response(text))
    one, mark, times = (request(), text, 100) if hot else (HEALTH, OK, 5_000)
    with reluctant(gateway.port) as sock:
        sending = threading.Thread(target=sock.sendall, args=(one * times,))
        sending.start()
        eventually(lambda: made[0].write_paused)
        time.sleep(0.3)  # time in which all of it could have been answered
        assert made[0].transport.get_write_buffer_size() < (64 << 10) + 2 * len(text)
        assert len(teacher.seen) < 10
        got, rest = 0, b""
        while got < times:
            data = sock.recv(1 << 20)
            assert data
            rest += data
            got += rest.count(mark)
            rest = rest[-len(mark) :] if mark not in rest else rest[rest.rfind(mark) + len(mark) :]
        sending.join()
    assert got == times


@pytest.mark.parametrize(("times", "then"), [(9, b""), (8, HEALTH), (8, request()[:-5]), (2, b"")])
def test_a_client_that_never_reads_is_cut_off(
    serve: Serve, teacher: Engine, made: list[GatewayProtocol], times: int, then: bytes
) -> None:
    """Whether a request waits for it to read, or its last reply does."""
    gateway = serve(
        document({"teacher": teacher}), head_seconds=0.3, body_seconds=0.6, keep_alive_seconds=1,
        first_byte_seconds=2, idle_seconds=0.5,
    )  # fmt: skip
    teacher.script = says(response(b'{"x":"%b"}' % (b"y" * 20_000)))
    with reluctant(gateway.port) as sock:
        sock.sendall(request() * times + then)
        eventually(lambda: made)
        eventually(lambda: gateway.gateway.admission.open == 0)
    assert len(teacher.seen) < 9
