"""The gateway's page: engines that answer, old names, and who may read it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.test_metrics import page
from tests.serving.gateway.upstream import Engine

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


@pytest.mark.parametrize("path", ["x-forwarded-for", "forwarded"])
def test_what_a_proxy_passes_on_is_not_of_this_machine(
    serve: Serve, engine: Make, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = serve(document(both(engine)))
    assert running.client.send("GET", "/metrics", headers={path: "192.0.2.1"})[0] == 401
    monkeypatch.setenv("UNDERSTUDY_METRICS_TOKEN", "of-metrics")
    passed = {path: "192.0.2.1", "authorization": "Bearer of-metrics"}
    assert running.client.send("GET", "/metrics", headers=passed)[0] == 200
