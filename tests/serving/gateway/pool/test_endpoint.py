"""An engine's address: when it counts as failed, and which of its connections are used again."""

from __future__ import annotations

import asyncio
import socket

import pytest

from serving.gateway.pool.endpoint import FAILURES_5XX, Endpoint
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
