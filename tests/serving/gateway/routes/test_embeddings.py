"""/v1/embeddings: passed to an engine of its own, byte by byte but for the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from deploy.engines.external import ExternalEngine
from feedback.store.server import free_port
from serving.gateway.config import ApiKey
from serving.gateway.keys import key_hmac
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import Engine, response, says

Serve = Callable[..., Running]
Make = Callable[..., Engine]
RAW = '{ "input": ["你好",  "\\u4f60"], "model" : "any", "dimensions":2, "x":1.50 }'.encode()
ANSWER = b'{"object":"list", "data":[{"index":0,"embedding":[0.1, 0.2]}]}'


def external(url: str) -> ExternalEngine:
    return ExternalEngine(url=f"{url}/v1", model="embedder-1", api_key_env="EMBEDDER_KEY")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDER_KEY", "sk-embed")


def test_only_the_model_changes_and_the_answer_passes_unchanged(serve: Serve, engine: Make) -> None:
    embedder = engine("embedder", script=says(response(ANSWER)))
    running = serve(document({}), embeddings=external(embedder.url))
    status, headers, raw = running.client.send(
        "POST", "/v1/embeddings", RAW, {"authorization": "Bearer client", "cookie": "a=b"}
    )
    assert (status, raw, headers["content-type"]) == (200, ANSWER, "application/json")
    (seen,) = embedder.seen
    assert seen.path == "/v1/embeddings"
    assert seen.body == RAW.replace(b'"any"', b'"embedder-1"')
    assert seen.headers["authorization"] == "Bearer sk-embed"
    assert "cookie" not in seen.headers


def test_the_engines_refusal_passes_unchanged(serve: Serve, engine: Make) -> None:
    refusal = b'{"error":{"message":"slow down"}}'
    embedder = engine("embedder", script=says(response(refusal, "429 Too Many Requests", extra="retry-after: 7\r\n")))
    running = serve(document({}), embeddings=external(embedder.url))
    status, headers, raw = running.client.send("POST", "/v1/embeddings", RAW)
    assert (status, raw, headers["retry-after"]) == (429, refusal, "7")


def test_an_engine_that_refuses_our_key_is_our_fault(serve: Serve, engine: Make) -> None:
    said = b'{"error":{"message":"Incorrect API key provided: sk-em****"}}'
    embedder = engine("embedder", script=says(response(said, "401 Unauthorized")))
    running = serve(document({}), embeddings=external(embedder.url))
    status, _, raw = running.client.send("POST", "/v1/embeddings", RAW)
    assert (status, json.loads(raw)["error"]["code"]) == (502, "upstream_error")
    assert b"sk-em" not in raw


def test_the_key_is_struck_out_of_what_the_engine_says_and_of_its_headers(
    serve: Serve, engine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDER_KEY", "sk-abc/defghi")
    said = rb'{"error":{"message":"slow down, sk-abc/defghi or sk-abc\/defghi"}}'
    later = "retry-after: sk-abc/defghi sk-abc\\/defghi\r\n"
    embedder = engine("embedder", script=says(response(said, "429 Too Many Requests", extra=later)))
    running = serve(document({}), embeddings=external(embedder.url))
    status, headers, raw = running.client.send("POST", "/v1/embeddings", RAW)
    assert (status, headers["retry-after"]) == (429, "*** ***")
    assert raw == b'{"error":{"message":"slow down, ************* or **************"}}'


@pytest.mark.parametrize("body", [b"{", b'{"input":"x"}', b'{"model":7,"input":"x"}', b"[]", b"\xff"])
def test_a_wrong_body_reaches_no_engine(serve: Serve, engine: Make, body: bytes) -> None:
    embedder = engine("embedder")
    running = serve(document({}), embeddings=external(embedder.url))
    status, _, raw = running.client.send("POST", "/v1/embeddings", body)
    assert (status, json.loads(raw)["error"]["code"]) == (400, "invalid_request")
    assert embedder.seen == []


def test_an_engine_that_is_away_slow_or_broken_is_an_error_object(serve: Serve, engine: Make) -> None:
    def refused(url: str, **settings: Any) -> tuple[int, str]:
        running = serve(document({}), embeddings=external(url), **settings)
        status, _, raw = running.client.send("POST", "/v1/embeddings", RAW)
        return status, json.loads(raw)["error"]["code"]

    assert refused(f"http://127.0.0.1:{free_port()}") == (502, "upstream_error")
    assert refused(engine("cut", script=says("close")).url) == (502, "upstream_error")
    slow = engine("slow", script=says(30.0))
    assert refused(slow.url, first_byte_seconds=0.2) == (504, "upstream_timeout")


def test_it_asks_for_a_key_and_keeps_to_the_largest_body(serve: Serve, engine: Make) -> None:
    embedder = engine("embedder", script=says(response(ANSWER)))
    keys = (ApiKey(hmac=key_hmac("s3cret", "sk-1")),)
    running = serve(document({}), embeddings=external(embedder.url), key_secret="s3cret", api_keys=keys, max_body=200)
    known = {"authorization": "Bearer sk-1"}
    assert running.client.send("POST", "/v1/embeddings", RAW)[0] == 401
    assert running.client.send("POST", "/v1/embeddings", RAW, known)[0] == 200
    assert running.client.send("POST", "/v1/embeddings", RAW + b" " * 200, known)[0] == 413
    assert len(embedder.seen) == 1
