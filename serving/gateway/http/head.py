"""What a request's head may say, whatever it asks for. Pure."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from serving.gateway.http.errors import Malformed, UnknownCoding, UnknownVersion

WATCHED = frozenset({b"expect", b"host", b"transfer-encoding"})
"""Fields that bear on how a request is read."""


def check(version: str, hosts: int, coding: bytes) -> None:
    """Refuse a head that is not of HTTP/1.0 or 1.1, or that two readers may read differently.

    `version`: such as 1.1; `hosts`: how many `host` fields there are; `coding`: what all `transfer-encoding` say.

    Raises:
        Malformed, UnknownVersion, UnknownCoding: it may not be.
    """
    if version == "1.1":
        if hosts != 1:
            raise Malformed("a request of HTTP/1.1 has exactly one host field")
    elif version != "1.0":
        if version[0] > "1":
            raise UnknownVersion("HTTP/1.1 is spoken here")
        raise Malformed("this is not a valid HTTP request")
    elif hosts > 1 or coding:
        raise Malformed("a request of HTTP/1.0 has one host field at most and no transfer coding")
    if coding and coding != b"chunked":
        raise UnknownCoding("no transfer coding but chunked is known here")


def origin_form(target: bytes) -> bytes:
    """A request target without scheme and host, which only a proxy needs."""
    return b"/" + target.partition(b"://")[2].partition(b"/")[2]


def plain(path: bytes) -> bytes:
    """A path without escapes."""
    return unquote_to_bytes(path) if b"%" in path else path
