"""Failed requests: always counted, told once a minute by cause."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from serving.gateway.failures import AGAIN, Failures
from serving.gateway.metrics import Metrics
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, response, says

Serve = Callable[..., Running]
Make = Callable[..., Engine]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("request failed")]


def test_a_cause_is_told_once_a_minute_with_how_many_more_there_were(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    failures = Failures(Metrics(), lambda: now)
    for _ in range(55):
        failures.note("teacher", "unreachable", "refused")
    failures.note("student", "unreachable", "refused")
    assert lines(caplog) == [
        "request failed (teacher, unreachable): refused", "request failed (student, unreachable): refused",
    ]  # fmt: skip
    now += AGAIN
    failures.note("teacher", "unreachable", "refused again")
    assert (
        lines(caplog)[-1] == "request failed (teacher, unreachable): refused again; 54 more like it since the last line"
    )


def test_with_every_engine_dead_failures_are_logged_and_all_counted(
    serve: Serve, engine: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    engines = both(engine)
    running = serve(document(engines))
    for one in engines.values():
        one.stop()
    for _ in range(5):
        assert running.client.chat(model="teacher")[0] == 502
    assert len(lines(caplog)) == 1
    text = running.client.send("GET", "/metrics")[2].decode()
    assert 'understudy_failures_total{arm="teacher",cause="unreachable"} 5' in text


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (says(response(b"{}", "500 Internal Server Error")), "engine_500"),
        (says(response(b"{}", "429 Too Many Requests")), "engine_429"),
        (says("reset"), "broke_off"),
        (says(60.0), "no_first_byte"),
        (says(SSE_HEAD, chunk(event("half")), "close"), "broke_off_within_reply"),
        (says(SSE_HEAD, chunk(event("half")), 60.0), "silent_within_reply"),
        (says(response(b'{"error": {"message": "overloaded"}}')), "engine_200"),
        (says(SSE_HEAD, chunk(event("half")), chunk(b'data: {"error":"no"}\n\n'), b"0\r\n\r\n"), "engine_200"),
    ],
)
def test_every_way_to_fail_has_its_cause(serve: Serve, engine: Make, script: object, cause: str) -> None:
    teacher = engine("teacher", script=script)
    first_byte, idle = (0.3 if cause == one else 60 for one in ("no_first_byte", "silent_within_reply"))
    running = serve(document({"teacher": teacher}), first_byte_seconds=first_byte, idle_seconds=idle)
    running.client.chat(model="teacher", stream=True)
    assert running.gateway.metrics.failures == {("teacher", cause): 1}


def test_without_an_arm_and_with_another_that_stands_in_it_is_counted_too(serve: Serve, engine: Make) -> None:
    running = serve()
    running.client.chat()
    assert running.gateway.metrics.failures == {("", "no_arm_ready"): 1}
    engines = both(engine)
    engines["teacher"].script = says("reset")
    running.snapshot.offer(document(engines))
    assert running.client.chat()[0] == 200
    assert running.gateway.metrics.failures["teacher", "broke_off"] == 1
    assert running.gateway.metrics.events["fallback"] == 1
