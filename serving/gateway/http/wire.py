"""Bytes of HTTP: which headers pass, and how errors and status lines look. Pure."""

from __future__ import annotations

import http
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from deploy.engines.names import VERSION_HEADER
from understudy.errors import UnderstudyError

Headers = list[tuple[bytes, bytes]]

HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"proxy-authenticate",
})  # fmt: skip
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_TO_ENGINE_DROP = HOP | _FRAMING | {
    b"host", b"expect", b"authorization", b"proxy-authorization", b"cookie", b"api-key", b"x-api-key",
    b"accept-encoding", b"x-request-id", b"content-type", b"content-encoding",
}  # fmt: skip
_TO_CLIENT_DROP = HOP | _FRAMING | {b"x-request-id", b"server", b"set-cookie"}
_ONLY = frozenset({b"keep-alive", b"close", b"Keep-Alive"})
"""What `connection` says alone in nearly every message."""
OURS = b"x-understudy-"
RETRY_AFTER = b"retry-after: 1\r\n"
_MEANT = VERSION_HEADER.encode() + b": "
STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in http.HTTPStatus}


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` and its line end."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d Status\r\n" % status


def engine_head(path: bytes, host: bytes, key: str, version: str, request: str, length: int, given: Headers) -> bytes:
    """Head of the request to an engine. The client's credentials, our own headers and its `connection`'s stay here.

    The body has been read as JSON, so it is sent as JSON, whatever a client such as plain curl called it.
    """
    lines = [_begun(path, host, key, version) % (length, request.encode())]
    drop = _with_named(_TO_ENGINE_DROP, given)
    for name, value in given:
        if name not in drop and not name.startswith(OURS):
            lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"


@lru_cache(256)
def _begun(path: bytes, host: bytes, key: str, version: str) -> bytes:
    """What heads to one engine have in common, as a format of the body's length and the request's name."""
    lines = [
        b"POST " + path + b" HTTP/1.1\r\nhost: " + host,
        b"accept-encoding: identity\r\ncontent-type: application/json",
        *([_MEANT + version.encode()] if version else ()),
        *([b"authorization: Bearer " + key.encode()] if key else ()),
    ]
    return b"\r\n".join(lines).replace(b"%", b"%%") + b"\r\ncontent-length: %d\r\nx-request-id: %b"


def passed_headers(given: Headers) -> list[bytes]:
    """Header lines of an engine's reply that the client gets; framing and names of ours are set by us."""
    drop = _with_named(_TO_CLIENT_DROP, given)
    return [name + b": " + value + b"\r\n" for name, value in given if name not in drop and not name.startswith(OURS)]


def _with_named(drop: frozenset[bytes], given: Headers) -> frozenset[bytes]:
    """`drop` and the fields that `connection` names: they are for the next hop alone (RFC 9110, 7.6.1)."""
    for name, value in given:
        if name == b"connection" and value not in _ONLY:
            drop = drop | {token.strip().lower() for token in value.split(b",")}
    return drop


def error_object(message: str, kind: str, param: str | None, code: str | None) -> bytes:
    """OpenAI's error object as JSON."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def error_bytes(error: UnderstudyError) -> bytes:
    """OpenAI's error object of one of our errors."""
    return error_object(error.message, error.kind, error.param, error.code)


def reply_bytes(status: int, body: bytes, extra: Iterable[bytes] = (), *, close: bool = False) -> bytes:
    """A whole JSON response; `extra` are header lines with their ends."""
    return b"".join([
        status_line(status),
        b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body),
        *extra,
        b"connection: close\r\n\r\n" if close else b"\r\n",
        body,
    ])  # fmt: skip


def safe_header(value: str) -> bytes:
    """A header value that we echo: printable ASCII alone, 200 characters at most."""
    return "".join(char for char in value[:200] if " " <= char <= "~").encode()
