"""An engine's address: when it counts as failed, and which of its connections are used again."""

from __future__ import annotations

from serving.gateway.pool.endpoint import FAILURES_5XX
from serving.gateway.pool.upstreams import Upstreams


def test_an_engine_that_keeps_answering_5xx_counts_as_failed_until_it_answers_well() -> None:
    endpoint = Upstreams(4.0, lambda: 0.0).pick("http://127.0.0.1:1")
    for _ in range(FAILURES_5XX - 1):
        endpoint.answered(500)
    assert not endpoint.down
    endpoint.answered(500)
    assert endpoint.down
    endpoint.answered(200)
    assert not endpoint.down
