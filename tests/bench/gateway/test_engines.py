"""The engines of the benchmarks answer on kept connections, in one piece or event by event."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from bench.gateway.engines import EVENT, REPLY
from feedback.store.server import free_port
from tests.waiting import eventually

Start = Callable[[str, float], http.client.HTTPConnection]


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs an engine by the name of its function and what it is given; a connection to it."""
    with ExitStack() as stack:

        def run(name: str, given: float) -> http.client.HTTPConnection:
            port = free_port()
            code = f"from bench.gateway.engines import {name}; {name}({port}, {given})"
            process = subprocess.Popen([sys.executable, "-c", code])
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
            wire = stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)))
            eventually(lambda: wire.connect() or True, what="an engine that listens")
            wire.auto_open = 0  # what ends the connection is seen
            return wire

        yield run


def asked(wire: http.client.HTTPConnection) -> bytes:
    wire.request("POST", "/v1/chat/completions", b"{}" * 500)
    reply = wire.getresponse()
    assert reply.status == 200
    return reply.read()


def test_one_answers_in_one_piece_on_one_connection(start: Start) -> None:
    wire = start("serve_whole", 0.0)
    assert [json.loads(asked(wire)) for _ in range(2)] == [REPLY, REPLY]


def test_the_other_writes_so_many_events_and_the_end(start: Start) -> None:
    wire = start("serve_streams", 3)
    for _ in range(2):
        *events, done, rest = asked(wire).split(b"\n\n")
        assert [json.loads(event.removeprefix(b"data: ")) for event in events] == [EVENT] * 3
        assert (done, rest) == (b"data: [DONE]", b"")
