"""Bodies that are no JSON: each endpoint says so in words of its own, none of which are the parser's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from deploy.engines.external import ExternalEngine
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import Engine

Serve = Callable[..., Running]
PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/feedback")
UNREADABLE = (
    b"", b"{", b"not json", b"[]", b"7", b"[" * 50_000, b"\xff", b"{a:1}", b'{"a" 1}', b'{"a":1,}', b'{"a":1} x',
    b'{"a":tru}', b'{"a":01}', b'{"a":"\\x"}', b'{"a":"\\ud800"}', b'{"a":"\n"}', b'{"a":"\xff"}', b'{"\xff":1}',
    b'{"a":' + b"[" * 50_000,
)  # fmt: skip
PARSERS_WORDS = re.compile(
    r"\$|\b(bytes?|malformed|truncated|trailing|Expected|expected|Object|decode\w*|codec|recursi\w*|nested|column|"
    r"line \d+|char \d+|position|surrogate\w*|escape\w*|invalid (start|character|continuation|number)|utf-8)\b"
)


@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_json_object_is_refused_without_a_word_of_the_parser(
    serve: Serve, teacher: Engine, path: str
) -> None:
    engine = ExternalEngine(url=f"{teacher.url}/v1", model="embedder-1")
    running = serve(document({"teacher": teacher}), embeddings=engine)
    for body in UNREADABLE:
        status, _, raw = running.client.send("POST", path, body)
        error = json.loads(raw)["error"]
        assert (status, error["type"]) == (400, "invalid_request_error"), body[:20]
        assert not PARSERS_WORDS.search(error["message"]), (body[:20], error["message"])
    assert not teacher.seen
