"""What a request tells its endpoint's breaker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from serving.breaker.config import EngineBreakerConfig
from serving.gateway.pool.call import Call
from serving.gateway.pool.endpoint import Endpoint

RULE = EngineBreakerConfig(calls=1, share=1.0, slow_seconds=2)


def late(call: Call) -> None:
    call.answered(200, True)
    call.first_byte()


TOLD: dict[str, tuple[Callable[[Call], None], bool]] = {
    "500": (lambda call: call.answered(500, True), True),
    "503": (lambda call: call.answered(503, False), True),
    "broken off": (Call.failed, True),
    "nobody listens": (Call.unreachable, True),
    "slow to stream": (late, True),
    "slow at once": (lambda call: call.answered(200, False), False),
    "400": (lambda call: call.answered(400, False), False),
    "401": (lambda call: call.answered(401, False), False),
    "409": (lambda call: call.answered(409, False), False),
    "429": (lambda call: call.answered(429, False), False),
    "a client that went": (Call.forget, False),
}


@pytest.mark.parametrize("what", TOLD)
def test_what_counts_against_an_engine(what: str) -> None:
    now = [0.0]
    endpoint = Endpoint("http://127.0.0.1:1", 4.0, lambda: now[0], RULE)
    call = Call(endpoint)
    now[0] += 3
    tell, counts = TOLD[what]
    tell(call)
    assert endpoint.open is counts


def test_what_is_told_first_counts() -> None:
    endpoint = Endpoint("http://127.0.0.1:1", 4.0, lambda: 0.0, RULE)
    call = Call(endpoint)
    call.answered(200, True)
    call.first_byte()
    for tell in (Call.failed, Call.unreachable, Call.first_byte, Call.forget):
        tell(call)
    assert not endpoint.open
    assert endpoint.answered_at == 0.0


def test_an_engine_that_nobody_reaches_answers_no_more() -> None:
    endpoint = Endpoint("http://127.0.0.1:1", 4.0, lambda: 0.0, RULE)
    Call(endpoint).answered(200, False)
    Call(endpoint).unreachable()
    assert endpoint.answered_at < 0


@pytest.mark.parametrize(("status", "answers"), [(200, True), (404, True), (429, True), (500, False), (503, False)])
def test_an_engine_that_fails_does_not_answer(status: int, answers: bool) -> None:
    endpoint = Endpoint("http://127.0.0.1:1", 4.0, lambda: 7.0, RULE)
    Call(endpoint).answered(status, True)
    assert (endpoint.answered_at == 7.0) is answers
