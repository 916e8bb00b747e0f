"""An engine's address: when it counts as failed, and which of its connections are used again."""

from __future__ import annotations

import asyncio
import socket

import pytest

from serving.breaker.table import BreakerState
from serving.gateway.pool.call import Call
from serving.gateway.pool.endpoint import Endpoint
from serving.gateway.pool.upstreams import Upstreams


def test_an_engine_that_keeps_answering_5xx_is_left_alone_until_it_answers_well() -> None:
    endpoint = Upstreams(4.0, lambda: 0.0).pick("http://127.0.0.1:1")
    for _ in range(endpoint.rule.calls - 1):
        Call(endpoint).answered(500, False)
    assert not endpoint.down
    Call(endpoint).answered(500, False)
    assert endpoint.down
    assert endpoint.open
    for _ in range(endpoint.rule.probes):
        Call(endpoint).answered(200, False)
        assert not endpoint.down
    assert endpoint.breaker.state is BreakerState.CLOSED


def test_after_its_pause_no_more_than_the_probes_are_let_through_at_once() -> None:
    now = [0.0]
    endpoint = Upstreams(4.0, lambda: now[0]).pick("http://127.0.0.1:1")
    Call(endpoint).unreachable()
    now[0] += endpoint.rule.first_pause_seconds
    probes = [Call(endpoint) for _ in range(endpoint.rule.probes)]
    assert endpoint.down
    assert not endpoint.open
    probes.pop().forget()
    assert not endpoint.down


@pytest.mark.parametrize("left", [False, True])
def test_a_connection_that_comes_back_to_an_address_that_was_left_is_closed(left: bool) -> None:
    async def kept() -> bool:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", 60.0, lambda: 0.0)
            connection = await endpoint.connect(10)
            if left:
                endpoint.leave()
            endpoint.release(connection)
            found = endpoint.idle()
            connection.close()
            return found is connection

    assert asyncio.run(kept()) is not left


@pytest.mark.parametrize("ends", [False, True])
def test_an_end_that_the_loop_has_not_seen_yet_is_looked_for_before_a_connection_is_used_again(ends: bool) -> None:
    async def asked_again() -> bool:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", 60.0, lambda: 0.0)
            connection = await endpoint.connect(10)
            engine, _ = listener.accept()
            with engine:
                endpoint.release(connection)
                if ends:
                    engine.shutdown(socket.SHUT_WR)  # and nothing is awaited from here on
                again = endpoint.idle()
                assert endpoint.idle() is None
                connection.close()
                return again is connection

    assert asyncio.run(asked_again()) is not ends
