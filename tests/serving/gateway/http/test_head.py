"""What a request's head may say: versions, hosts, codings, forms of the target; and what its trailers may not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import BODY, request, talk
from tests.serving.gateway.upstream import Engine, chunk
from tests.waiting import eventually

Serve = Callable[..., Running]
PATH = b"/v1/chat/completions"
SERVED = {
    PATH: b" 200 OK", b"/v1/completions": b" 200 OK", b"/v1/feedback": b'"invalid_feedback"',
    b"/v1/embeddings": b'"no_embeddings"',
}  # fmt: skip
"""What shows that a body of a chat reached each of them."""


def head(path: bytes = PATH, fields: bytes = b"host: a\r\n", version: bytes = b"HTTP/1.1") -> bytes:
    """A request with a body; `version` goes to the end of its line."""
    line = b" ".join(filter(None, (b"POST", path, version)))
    return line + b"\r\n" + fields + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.mark.parametrize(
    ("sent", "status"),
    [(head(fields=b""), 400), (head(fields=b"host: a\r\nHost: a\r\n"), 400),
     (b"GET /health HTTP/1.1\r\n\r\n", 400), (b"GET /health HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
     (head(version=b"HTTP/1.0", fields=b"host: a\r\nhost: b\r\n"), 400), (head(version=b""), 400),
     (b"GET /health\r\n\r\n", 400), (b"GET /health HTTP/0.9\r\n\r\n", 400), (head(version=b"HTTP/0.9"), 400),
     (head(version=b"HTTP/2.0"), 505), (b"GET /health HTTP/2.0\r\nhost: a\r\n\r\n", 505),
     (head(version=b"HTTP/2.0", fields=b""), 505)],
)  # fmt: skip
def test_versions_and_hosts_that_are_not_ours_are_refused(gateway: Running, sent: bytes, status: int) -> None:
    got, end = talk(gateway.port, [sent], until=None)
    assert got.startswith(b"HTTP/1.1 %d " % status)
    assert (got.count(b"\r\n\r\n"), end) == (1, "eof")
    assert b'"error"' in got


def test_http_1_0_needs_no_host(gateway: Running) -> None:
    got, end = talk(gateway.port, [head(version=b"HTTP/1.0", fields=b"")], until=None)
    assert (got[:15], end) == (b"HTTP/1.1 200 OK", "eof")


@pytest.mark.parametrize(
    "coding",
    [
        b"gzip",
        b"gzip, chunked",
        b"identity",
        b"xchunked",
        b"chunked, gzip",
        b"chunked\r\ntransfer-encoding: gzip",
        b"chunked, chunked",
    ],
)
def test_a_transfer_coding_that_is_not_known_is_not_implemented(gateway: Running, coding: bytes) -> None:
    for path in (PATH, b"/v1/feedback"):
        sent = b"POST %b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: %b\r\n\r\n0\r\n\r\n" % (path, coding)
        got, end = talk(gateway.port, [sent], until=None)
        assert (got[:12], end) == (b"HTTP/1.1 501", "eof")


@pytest.mark.parametrize("spelled", [b"chunked", b"Chunked", b"chunked "])
def test_chunked_is_known_however_it_is_spelled(gateway: Running, teacher: Engine, spelled: bytes) -> None:
    sent = b"POST %b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: %b\r\n\r\n" % (PATH, spelled)
    got, _ = talk(gateway.port, [sent + chunk(BODY) + b"0\r\n\r\n"])
    assert got.startswith(b"HTTP/1.1 200")
    assert teacher.seen[0].body == BODY


@pytest.mark.parametrize(
    "path",
    [b"http://other:1" + PATH, b"HTTP://other" + PATH + b"?a=b", b"/v1/chat%2Fcompletions", b"/v1/%63hat/completions"],
)
def test_an_absolute_or_an_escaped_path_is_served(gateway: Running, teacher: Engine, path: bytes) -> None:
    got, _ = talk(gateway.port, [head(path)])
    assert got.startswith(b"HTTP/1.1 200")
    assert teacher.seen[0].path.partition("?")[0] == "/v1/chat/completions"


@pytest.mark.parametrize("path", SERVED)
@pytest.mark.parametrize("spelled", [b"%b", b"http://other:1%b", b"HTTP://other%b?a=b"])
def test_every_path_that_is_posted_to_is_served_however_it_is_escaped(
    gateway: Running, path: bytes, spelled: bytes
) -> None:
    escaped = (
        path.replace(b"/v1", b"/%761"),
        path[:4] + b"%%%02X" % path[4] + path[5:],
        path[:-1] + b"%%%02x" % path[-1],
    )
    for one in (path, *escaped):
        got, _ = talk(gateway.port, [head(spelled % one, b"host: a\r\nconnection: close\r\n")], until=None)
        assert SERVED[path] in got, one


@pytest.mark.parametrize(
    "path",
    [path for one in SERVED for path in (one + b"/", one + b"%2F", one + b"%2f?a=b", b"/" + one, b"/%2F" + one[1:])]
    + [b"http://other"],
)
def test_a_path_that_is_none_is_404_and_no_redirect(gateway: Running, path: bytes) -> None:
    got, _ = talk(gateway.port, [head(path, b"host: evil.example\r\nconnection: close\r\n")], until=None)
    assert got.startswith(b"HTTP/1.1 404")
    assert b'"unknown_url"' in got
    assert b"location:" not in got.lower()
    assert b"evil.example" not in got


@pytest.mark.parametrize("path", [PATH, b"/v1/feedback"])
def test_an_old_client_gets_no_interim_reply(gateway: Running, path: bytes) -> None:
    sent = head(path, b"expect: 100-continue\r\n", b"HTTP/1.0")
    got, _ = talk(gateway.port, [sent[: -len(BODY)], BODY], until=None)
    assert b" 100 " not in got
    assert got.count(b"HTTP/1.1 ") == 1


def test_trailers_of_a_body_are_no_headers(gateway: Running, teacher: Engine) -> None:
    sent = request()[: -len(BODY)].replace(b"content-length: %d" % len(BODY), b"transfer-encoding: chunked")
    trailers = b"x-forged: 1\r\nhost: b\r\nx-understudy-no-capture: 1\r\ncontent-type: text/plain\r\n"
    got, _ = talk(gateway.port, [sent + chunk(BODY) + b"0\r\n", trailers, b"\r\n"])
    assert got.startswith(b"HTTP/1.1 200")
    assert teacher.seen[0].body == BODY
    assert "x-forged" not in teacher.seen[0].headers
    eventually(lambda: gateway.spool.raw)
    assert len(gateway.spool.raw) == 1


def test_trailers_without_end_are_a_head_beyond_the_limit(serve: Serve, teacher: Engine) -> None:
    gateway = serve(document({"teacher": teacher}), max_head=2000)
    sent = b"POST %b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" % PATH + chunk(BODY) + b"0\r\n"
    many = b"".join(b"x-%d: %s\r\n" % (i, b"y" * 100) for i in range(50))
    for endless in ([many], [b"x: ", b"y" * 1500, b"y" * 1500]):
        got, end = talk(gateway.port, [sent, *endless], until=None)
        assert (got[:12], end) == (b"HTTP/1.1 431", "eof")
