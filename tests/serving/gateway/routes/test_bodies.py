"""Bodies of ASGI routes: bounded, and given back to the count of bytes held."""

from __future__ import annotations

import json
import socket

from serving.gateway.routes.app import MAX_FEEDBACK
from tests.serving.gateway.conftest import Running
from tests.waiting import eventually

HEAD = b"POST /v1/feedback HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n"


def test_a_body_above_the_bound_of_its_route_is_refused_and_forgotten(gateway: Running) -> None:
    status, _, raw = gateway.client.send("POST", "/v1/feedback", b" " * (MAX_FEEDBACK + 1))
    assert (status, json.loads(raw)["error"]["code"]) == (413, "request_too_large")
    assert gateway.client.send("POST", "/v1/feedback", b" " * MAX_FEEDBACK)[0] == 400
    assert gateway.gateway.buffered == 0


def test_what_has_come_of_a_body_counts_until_its_client_leaves(gateway: Running) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
        sock.sendall(HEAD % 1000 + b" " * 700)
        eventually(lambda: gateway.gateway.buffered == 700)
    eventually(lambda: gateway.gateway.buffered == 0)
    assert gateway.client.send("GET", "/health")[0] == 200
