"""Embeddings within limits and deadlines."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from deploy.engines.external import ExternalEngine
from tests.serving.gateway.conftest import Running
from tests.serving.gateway.upstream import Engine, response, says

Serve = Callable[..., Running]
BODY = json.dumps({"model": "e", "input": "x" * 400}).encode()


@pytest.fixture
def embedder(engine: Callable[..., Engine]) -> Engine:
    return engine("e", script=says(response(b'{"data": [], "usage": {"total_tokens": 40}}')))


def test_requests_and_tokens_are_limited_and_settled(serve: Serve, embedder: Engine) -> None:
    limits = {"default": {"requests_per_minute": 6, "tokens_per_minute": 250}}
    running = serve(embeddings=ExternalEngine(url=embedder.url, model="e"), tenants=limits)
    told = [running.client.send("POST", "/v1/embeddings", BODY) for _ in range(5)]
    assert [status for status, _, _ in told] == [200] * 4 + [429]  # each takes 104 at first and 40 in the end
    assert told[0][1]["x-ratelimit-remaining-requests"] == "5"
    assert json.loads(told[4][2])["error"]["type"] == "tokens"
    assert 1 <= int(told[4][1]["retry-after"]) <= 60
    assert len(embedder.seen) == 4


def test_those_at_once_are_free_again(serve: Serve, embedder: Engine) -> None:
    running = serve(
        embeddings=ExternalEngine(url=embedder.url, model="e"), tenants={"default": {"max_concurrent": 1}},
        first_byte_seconds=1,
    )  # fmt: skip
    assert running.client.send("POST", "/v1/embeddings", BODY)[0] == 200
    for script, expected in ((says("reset"), 502), (says(5.0), 504), (says(response(b"{}")), 200)):
        embedder.script = script
        assert running.client.send("POST", "/v1/embeddings", BODY)[0] == expected
    assert running.client.send("POST", "/v1/embeddings", b"{")[0] == 400
    assert running.client.send("POST", "/v1/embeddings", BODY)[0] == 200


def test_a_deadline_and_a_limit_of_the_input(serve: Serve, embedder: Engine) -> None:
    running = serve(embeddings=ExternalEngine(url=embedder.url, model="e"), max_prompt=400)
    assert running.client.send("POST", "/v1/embeddings", BODY)[0] == 200
    long = json.dumps({"model": "e", "input": ["x" * 400, "y"]}).encode()
    status, _, body = running.client.send("POST", "/v1/embeddings", long)
    assert (status, json.loads(body)["error"]["param"]) == (413, "input")
    embedder.script = says(30.0)
    status, _, body = running.client.send("POST", "/v1/embeddings", BODY, {"x-understudy-deadline": "0.2"})
    assert (status, json.loads(body)["error"]["code"]) == (504, "deadline_exceeded")
    assert embedder.closed.wait(60)
    assert running.client.send("POST", "/v1/embeddings", BODY, {"x-understudy-deadline": "x"})[0] == 400
