"""How many connections clients may open."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import SECONDS, talk
from tests.serving.gateway.upstream import Engine
from tests.waiting import eventually
from understudy.process.admission import Admission

Serve = Callable[..., Running]
HEALTH = b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=60), st.integers(1, 6), st.integers(1, 6))
def test_neither_bound_is_passed_and_whoever_leaves_makes_room(
    events: list[tuple[bool, str]], most: int, each: int
) -> None:
    admission, inside, refused = Admission(most, each), [], 0
    for arrives, address in events:
        if arrives:
            room = len(inside) < most and inside.count(address) < each
            assert admission.enter(address) is room
            inside += [address] if room else []
            refused += not room
        elif address in inside:
            inside.remove(address)
            admission.leave(address)
        assert (admission.open, admission.refused) == (len(inside), refused)


def test_connections_are_bounded_in_all_and_by_address(serve: Serve, teacher: Engine) -> None:
    running = serve(document({"teacher": teacher}), max_connections=6, max_connections_per_address=4)
    held = [socket.create_connection(("127.0.0.1", running.port), timeout=SECONDS) for _ in range(4)]
    eventually(lambda: running.gateway.admission.open == 4)
    got, end = talk(running.port, [], until=None)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in head
    assert (json.loads(body)["error"]["code"], end) == ("too_many_connections", "eof")
    for _ in range(2):
        elsewhere = socket.create_connection(("127.0.0.1", running.port), SECONDS, ("127.0.0.2", 0))
        elsewhere.sendall(HEALTH.replace(b"close", b"keep-alive"))
        assert elsewhere.recv(65536).startswith(b"HTTP/1.1 200")
        held.append(elsewhere)
    third = socket.create_connection(("127.0.0.1", running.port), SECONDS, ("127.0.0.3", 0))
    assert third.recv(65536).startswith(b"HTTP/1.1 503")
    third.close()
    for sock in held:
        sock.close()
    eventually(lambda: running.gateway.admission.open == 0)
    assert talk(running.port, [HEALTH], until=None)[0].startswith(b"HTTP/1.1 200")
    assert "understudy_gateway_connections_refused 2" in running.client.send("GET", "/metrics")[2].decode()
