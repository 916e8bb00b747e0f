"""The data plane asked by its own OpenAPI document: whatever is sent, it answers, and never with a key."""

from __future__ import annotations

import logging
from collections.abc import Callable

import httpx
import pytest

from deploy.engines.external import ExternalEngine
from serving.gateway.completion.context import CHAT, COMPLETIONS
from serving.gateway.config import ApiKey
from serving.gateway.keys import key_hmac
from serving.gateway.routes.described import BODIES
from tests.serving.cases import FULL, OF_DATA_PLANE, PARTS, answers_all, read
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine, response, says
from tests.waiting import eventually

Serve = Callable[..., Running]
Make = Callable[..., Engine]
KEY, ENGINES_KEY = "sk-client-7f3a-nobody-may-see", "engine-91bc-nobody-may-see"


def test_the_document_names_every_endpoint(serve: Serve) -> None:
    paths = httpx.get(f"http://127.0.0.1:{serve().port}/openapi.json", trust_env=False, timeout=60).json()["paths"]
    assert {"/v1/models", "/health", "/ready", "/metrics", CHAT.decode(), COMPLETIONS.decode(), *BODIES} <= set(paths)
    for path in BODIES:
        assert paths[path]["post"]["requestBody"]["required"]
        assert "default" in paths[path]["post"]["responses"]


@pytest.mark.timeout(600 if FULL else 180)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_sent_is_answered(part: int, serve: Serve, engine: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    embedder = ExternalEngine(url=engine("embedder", script=says(response(b'{"data":[]}'))).url, model="e")
    keys = (ApiKey(hmac=key_hmac("s3cret", KEY)),)
    running = serve(document(both(engine)), embeddings=embedder, key_secret="s3cret", api_keys=keys)
    running.snapshot.engine_key = ENGINES_KEY
    answers_all(read(f"http://127.0.0.1:{running.port}/openapi.json"), KEY, OF_DATA_PLANE, part)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("urllib3", "hypothesis"))]
    assert not [line for line in ours if KEY in line or ENGINES_KEY in line]
    eventually(lambda: running.gateway.metrics.in_flight == 0)
    assert running.client.send("GET", "/health")[0] == 200
