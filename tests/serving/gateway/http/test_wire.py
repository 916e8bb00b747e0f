"""Bytes of HTTP that the gateway writes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.http import wire
from understudy.errors import BadRequest


def test_an_engine_gets_our_headers_and_none_of_the_clients_secrets() -> None:
    given = [
        (b"authorization", b"Bearer sk-client"), (b"cookie", b"a=b"), (b"x-understudy-user", b"u"),
        (b"connection", b"keep-alive"), (b"x-trace", b"7"), (b"content-type", b"text/plain"),
    ]  # fmt: skip
    head = wire.engine_head(b"/v1/x", b"h:1", "key", "v1", "id-1", 5, given)
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert lines[0] == b"POST /v1/x HTTP/1.1"
    assert sorted(lines[1:]) == sorted([
        b"host: h:1", b"content-length: 5", b"x-request-id: id-1", b"x-understudy-version: v1",
        b"accept-encoding: identity", b"content-type: application/json", b"authorization: Bearer key", b"x-trace: 7",
    ])  # fmt: skip
    assert b"understudy" not in wire.engine_head(b"/v1/x", b"h:1", "key", "", "id-1", 5, given), "of another's engine"


def test_a_client_gets_no_framing_nor_names_of_ours_from_an_engine() -> None:
    given = [(b"content-length", b"9"), (b"x-understudy-arm", b"forged"), (b"server", b"s"), (b"x-a", b"1")]
    assert wire.passed_headers(given) == [b"x-a: 1\r\n"]


def test_a_reply_says_its_length_and_an_error_is_openais_object() -> None:
    body = wire.error_bytes(BadRequest("坏", param="n"))
    assert json.loads(body)["error"] == {
        "message": "坏", "type": "invalid_request_error", "param": "n", "code": "invalid_request",
    }  # fmt: skip
    reply = wire.reply_bytes(400, body, [b"x: 1\r\n"], close=True)
    head, _, rest = reply.partition(b"\r\n\r\n")
    assert rest == body
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 400 Bad Request", b"content-type: application/json", b"content-length: %d" % len(body), b"x: 1",
        b"connection: close",
    ]  # fmt: skip
    assert wire.status_line(799) == b"HTTP/1.1 799 Status\r\n"


@given(st.text())
def test_what_is_echoed_never_ends_a_line(value: str) -> None:
    echoed = wire.safe_header(value)
    assert len(echoed) <= 200
    assert all(0x20 <= byte <= 0x7E for byte in echoed)
