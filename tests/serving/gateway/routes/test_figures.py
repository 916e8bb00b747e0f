"""The gateway's page: engines that answer, old names, and who may read it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from serving.gateway.routes.figures import READY
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.test_metrics import page
from tests.serving.gateway.upstream import Engine
from understudy.telemetry.board import Board
from understudy.telemetry.together import JoinedPage, told

Serve = Callable[..., Running]
Make = Callable[..., Engine]


def test_names_of_the_release_before_stay_and_say_what_they_are_called_now(serve: Serve, engine: Make) -> None:
    running = serve(document(both(engine)))
    found = page(running)
    assert found["understudy_gateway_epoch",] == 1
    assert found["understudy_gateway_outbox_dropped_spool",] == 2
    text = running.client.send("GET", "/metrics")[2].decode()
    assert (
        "# HELP understudy_gateway_epoch As before. Goes with the next release: use understudy_routing_epoch.\n" in text
    )


def test_an_engine_that_is_gone_is_told(serve: Serve, engine: Make) -> None:
    engines = both(engine)
    running = serve(document(engines))
    engines["student"].stop()
    assert page(running)["understudy_arm_ready", "student"] == 0
    assert page(running)["understudy_arm_ready", "teacher"] == 1


def test_a_worker_shows_what_all_count_and_of_engines_what_it_found_itself(serve: Serve, engine: Make) -> None:
    engines, board = both(engine), Board(2)
    one, two = (serve(document(engines, epoch=epoch)) for epoch in (4, 3))
    for place, running in enumerate((one, two)):
        metrics = running.gateway.metrics
        metrics.joined = JoinedPage(metrics.page, board, place)
        for _ in range(place + 1):
            running.client.chat(model="student")
    first = page(two)
    assert (first["understudy_arm_ready", "student"], first["understudy_routing_epoch",]) == (1, 3)
    (ready,) = (metric for metric in told(two.gateway.metrics.page) if metric.name == READY.name)
    assert ready.points == ()  # what it tells the others without having asked
    shown = page(one)
    assert shown["understudy_arm_ready", "teacher"] == 1
    assert shown["understudy_requests_total", "student", "200", "v1"] == 3
    assert (shown["understudy_routing_epoch",], shown["understudy_gateway_epoch",]) == (3, 3)
    assert shown["understudy_gateway_outbox_dropped_spool",] == 4


@pytest.mark.parametrize("path", ["x-forwarded-for", "forwarded"])
def test_what_a_proxy_passes_on_is_not_of_this_machine(
    serve: Serve, engine: Make, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = serve(document(both(engine)))
    assert running.client.send("GET", "/metrics", headers={path: "192.0.2.1"})[0] == 401
    monkeypatch.setenv("UNDERSTUDY_METRICS_TOKEN", "of-metrics")
    passed = {path: "192.0.2.1", "authorization": "Bearer of-metrics"}
    assert running.client.send("GET", "/metrics", headers=passed)[0] == 200
