"""A request that has a deadline is over by then, and its engine stops."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.completion.deadlines import LONGEST, deadline_of
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import request, talk
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, says
from understudy.errors import BadRequest

Serve = Callable[..., Running]
Make = Callable[..., Engine]


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "inf", "soon", "1s", "86401", "1e400", "٣ s", "0x10"])
def test_what_is_no_number_of_seconds_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(BadRequest) as refused:
        deadline_of(wrong, 5.0)
    assert refused.value.param == "x-understudy-deadline"


@given(st.floats(1e-9, LONGEST), st.none() | st.floats(1e-9, LONGEST))
def test_a_client_may_ask_for_less_than_is_allowed_and_never_for_more(asked: float, most: float | None) -> None:
    assert deadline_of(repr(asked), most) == min(asked, math.inf if most is None else most)
    assert deadline_of("", most) == most


def test_before_the_first_byte_it_is_a_504_and_the_engine_is_let_go(serve: Serve, engine: Make) -> None:
    teacher, student = engine("teacher", script=says(30.0)), engine("student")
    running = serve(document({"teacher": teacher, "student": student}), engine_breaker={"calls": 2})
    for stream in (False, True):
        teacher.closed.clear()
        status, _, body = running.client.chat(stream=stream, headers={"x-understudy-deadline": "0.3"})
        error = (json.loads(body) if stream else body)["error"]
        assert (status, error["type"], error["code"]) == (504, "timeout_error", "deadline_exceeded")
        assert teacher.closed.wait(60)
    assert not student.seen
    assert running.gateway.upstreams.opened() == {}
    assert not running.gateway.metrics.failures
    assert running.gateway.metrics.events["deadline"] == 2
    assert {raw.outcome for raw in running.spool.raw} == {"cancelled"}


def test_within_a_stream_it_is_an_error_event(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher", script=says(SSE_HEAD, *[chunk(event("x")), 0.05] * 1000))
    running = serve(document({"teacher": teacher}), deadline_seconds=1.5)
    status, _, raw = running.client.chat(stream=True, headers={"x-understudy-deadline": "60"})
    assert status == 200
    assert raw.count(b"data: ") > 1
    assert json.loads(raw.split(b"data: ")[-1])["error"]["code"] == "deadline_exceeded"
    assert teacher.closed.wait(60)
    assert running.gateway.metrics.events["truncated"] == 0


def test_a_body_that_is_not_sent_by_then_is_waited_for_no_longer(gateway: Running, teacher: Engine) -> None:
    got, end = talk(gateway.port, [request(extra=b"x-understudy-deadline: 0.2\r\n")[:-5]], until=None)
    assert got.startswith(b"HTTP/1.1 504 ")
    assert b"deadline_exceeded" in got
    assert end == "eof"
    assert not teacher.seen


def test_a_request_that_is_done_in_time_does_not_notice(gateway: Running) -> None:
    assert gateway.client.chat(headers={"x-understudy-deadline": "30"})[0] == 200
    status, _, body = gateway.client.chat(headers={"x-understudy-deadline": "soon"})
    assert (status, body["error"]["param"]) == (400, "x-understudy-deadline")
    assert gateway.gateway.metrics.events["deadline"] == 0
