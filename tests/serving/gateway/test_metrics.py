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


def test_a_unit_is_one_exposure_of_a_phase_however_often_it_is_said(serve: Serve, engine: Make) -> None:
    """Said again since the first word found no room, and since another version stood in."""
    teacher, student = engine("teacher"), engine("student")
    experiment = Experiment(id="e", arms={"student": 1.0})
    running = serve(document({"teacher": teacher, "student": student}, experiments=(experiment,)))
    running.spool.full = True
    running.client.chat(headers={"x-understudy-user": "one"})
    running.spool.full = False
    running.client.chat(headers={"x-understudy-user": "one"})
    student.stop()
    for user in ("one", "two", "two"):
        running.client.chat(headers={"x-understudy-user": user})
    text = running.client.send("GET", "/metrics")[2].decode()
    assert 'understudy_exposures_total{experiment="e",arm="student"} 2' in text
