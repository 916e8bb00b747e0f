"""POST /v1/feedback."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.serving.gateway.conftest import Running
from tests.serving.gateway.upstream import Engine

Serve = Callable[..., Running]


Make = Callable[..., Engine]


def test_feedback_is_taken_once_it_is_stored(serve: Serve) -> None:
    running = serve()
    send = running.client.send
    good = b'{"response_id":"chatcmpl-1","kpi":"click","value":true,"id":"retry-me"}'
    assert send("POST", "/v1/feedback", good)[0] == 202
    assert send("POST", "/v1/feedback", good)[0] == 202
    assert send("POST", "/v1/feedback", b'{"session_id":"s","kpi":"rating","value":4.5}')[0] == 202
    first, second, third = running.spool.events
    assert first.id == second.id
    assert (first.target, first.kpi, first.value) == ("chatcmpl-1", "click", 1.0)
    assert (third.target, third.session) == ("session:s", "s")
    for bad in (
        b'{"kpi":"click","value":1}',
        b'{"response_id":"r","kpi":"nope","value":1}',
        b'{"response_id":"r","kpi":"click","value":"x"}',
        b'{"response_id":"r","session_id":"s"}',
    ):
        assert send("POST", "/v1/feedback", bad)[0] == 422
    assert send("POST", "/v1/feedback", b"not json")[0] == 400
    running.spool.full = True
    assert send("POST", "/v1/feedback", good)[0] == 503
    assert len(running.spool.events) == 3


DAY = 86_400.0


@pytest.mark.parametrize(
    ("kpi", "right", "wrong"),
    [
        ("click", ["0", "1", "true", "false", "1.0"], ["0.5", "2", "-1", "-1e12", "null", '"1"', "NaN", '"NaN"']),
        ("takeover", ["1"], ["1e12", "1" * 400, "[1]"]),
        ("rating", ["0", "10", "4.5"], ["400", "-0.1", "-1e12"]),
        ("basket", ["-1e12", "1e12", "17.5"], ["1e13", "-1.1e12", "1" * 400, "1e999", "NaN", "-Infinity"]),
    ],
)
def test_a_kpis_value_is_within_its_range(serve: Serve, kpi: str, right: list[str], wrong: list[str]) -> None:
    running = serve()
    for value in right + wrong:
        body = f'{{"response_id": "r", "kpi": "{kpi}", "value": {value}}}'.encode()
        status, _, raw = running.client.send("POST", "/v1/feedback", body)
        if value in right:
            assert status == 202, value
        else:
            assert status in (400, 422), value
            assert json.loads(raw)["error"]["type"] == "invalid_request_error"
    assert len(running.spool.events) == len(right)


def test_an_appeal_is_about_one_reply_and_needs_no_value(serve: Serve) -> None:
    running = serve()
    send = running.client.send
    assert send("POST", "/v1/feedback", b'{"response_id":"chatcmpl-1","kpi":"false_positive"}')[0] == 202
    (appeal,) = running.spool.events
    assert (appeal.target, appeal.kpi, appeal.value) == ("chatcmpl-1", "false_positive", 1.0)
    status, _, body = send("POST", "/v1/feedback", b'{"session_id":"s","kpi":"false_positive"}')
    assert (status, json.loads(body)["error"]["param"]) == (422, "response_id")
    assert send("POST", "/v1/feedback", b'{"response_id":"r","kpi":"false_positive","value":7}')[0] == 422


def test_feedback_is_neither_older_than_what_is_joined_nor_of_the_future(serve: Serve) -> None:
    running, now = serve(), time.time()
    for at, expected in ((now, 202), (now - 29 * DAY, 202), (now + 3000, 202), (now - 31 * DAY, 422),
                         (now + 5000, 422), (-1e300, 422), (int("1" * 400), 422)):  # fmt: skip
        body = json.dumps({"response_id": "r", "kpi": "click", "value": 1, "timestamp": at}).encode()
        status, _, raw = running.client.send("POST", "/v1/feedback", body)
        assert status == expected, at
        if expected == 422:
            assert json.loads(raw)["error"]["param"] == "timestamp"
