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
    running.snapshot.offer(document(both(engine)))
    assert running.client.send("GET", "/ready")[0] == 200
    assert running.client.chat()[0] == 200


def test_a_fault_of_the_gateway_is_an_error_object(serve: Serve) -> None:
    running = serve()
    running.spool.put_durable = None  # type: ignore[method-assign, assignment]
    body = b'{"response_id":"r","kpi":"click","value":1}'
    status, headers, raw = running.client.send("POST", "/v1/feedback", body)
    assert (status, headers["content-type"]) == (500, "application/json")
    assert "its log says why" in json.loads(raw)["error"]["message"]
