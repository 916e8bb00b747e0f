"""Counters and their text."""

from __future__ import annotations

from collections.abc import Callable

from ab.experiment import Experiment
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine

Serve = Callable[..., Running]


Make = Callable[..., Engine]


def test_metrics_count_requests_exposures_and_first_bytes(serve: Serve, engine: Make) -> None:
    experiment = Experiment(id="e", arms={"teacher": 1.0})
    running = serve(document(both(engine), experiments=(experiment,)))
    for _ in range(3):
        running.client.chat(headers={"x-understudy-user": "one"})
    text = running.client.send("GET", "/metrics")[2].decode()
    assert 'understudy_requests_total{arm="teacher",version="t1",status="200"} 3' in text
    assert 'understudy_exposures_total{experiment="e",arm="teacher"} 1' in text
    assert 'understudy_time_to_first_byte_seconds_count{arm="teacher"} 3' in text
    assert "understudy_gateway_in_flight 0" in text
    assert "understudy_gateway_epoch 1" in text
