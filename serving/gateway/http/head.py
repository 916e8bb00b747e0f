"""What a request's head may say, whatever it asks for. Pure."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from serving.gateway.http.errors import Malformed, UnknownCoding, UnknownVersion, Unreadable

WATCHED = frozenset({b"expect", b"host", b"transfer-encoding"})
"""Fields that bear on how a request is read."""
CODING, INVALID = "no transfer coding but chunked is known here", "this is not a valid HTTP request"


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
        raise UnknownVersion("HTTP/1.1 is spoken here") if version[0] > "1" else Malformed(INVALID)
    elif hosts > 1 or coding:
        raise Malformed("a request of HTTP/1.0 has one host field at most and no transfer coding")
    if coding and coding != b"chunked":
        raise UnknownCoding(CODING)


def unparsed(why: str) -> Unreadable:
    """What is said of a request at which llhttp stopped, by its own words: it knows no coding after `chunked`."""
    return UnknownCoding(CODING) if why.endswith("`Transfer-Encoding` header value") else Malformed(INVALID)


def origin_form(target: bytes) -> bytes:
    """A request target without scheme and host, which only a proxy needs."""
    return b"/" + target.partition(b"://")[2].partition(b"/")[2]


def plain(path: bytes) -> bytes:
    """A path without escapes."""
    return unquote_to_bytes(path) if b"%" in path else path
