"""What is not hot: probes, models and error objects."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine

Serve = Callable[..., Running]


Make = Callable[..., Engine]


def test_ready_says_whether_an_arm_can_serve(serve: Serve, engine: Make) -> None:
    running = serve()
    assert running.client.send("GET", "/health")[0] == 200
    assert running.client.send("GET", "/ready")[0] == 503
    status, headers, body = running.client.chat()
    assert (status, headers["retry-after"], body["error"]["code"]) == (503, "1", "no_arm_ready")
    engines = both(engine)
    running.snapshot.offer(document(engines))
    assert running.client.send("GET", "/ready")[0] == 200
    assert running.client.chat()[0] == 200


def test_ready_is_false_when_every_engine_is_dead_though_the_document_says_ready(serve: Serve, engine: Make) -> None:
    engines = both(engine)
    for one in engines.values():
        one.stop()
    running = serve(document(engines))
    status, headers, raw = running.client.send("GET", "/ready")
    body = json.loads(raw)
    assert (status, headers["retry-after"], body["ready"], body["models"]) == (503, "1", False, [])
    assert "cannot be reached" in body["arms"]["teacher"]
    assert "cannot be reached" in body["arms"]["student"]


def test_a_fault_of_the_gateway_is_an_error_object(serve: Serve) -> None:
    running = serve()
    running.spool.store = None  # type: ignore[method-assign, assignment]
    body = b'{"response_id":"r","kpi":"click","value":1}'
    status, headers, raw = running.client.send("POST", "/v1/feedback", body)
    assert (status, headers["content-type"]) == (500, "application/json")
    assert "its log says why" in json.loads(raw)["error"]["message"]
