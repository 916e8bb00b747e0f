"""Connections that come at once are taken at once; what cannot be taken now is taken later, and a close is a close."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import cast

import pytest
import uvloop

from tests.waiting import eventually_async
from understudy.process import accepting
from understudy.process.accepting import AT_ONCE, Acceptor

MANY = 3 * AT_ONCE


class Echo(asyncio.Protocol):
    """Says again what it hears."""

    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        type(self).made += 1
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@pytest.fixture(autouse=True)
def _none_yet() -> None:
    Echo.made = 0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listening(socket.socket()) as made:
        yield made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def listening(made: socket.socket) -> socket.socket:
    made.bind(("127.0.0.1", 0))
    made.listen(MANY)
    return made


def connect(listener: socket.socket, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(listener.getsockname(), 60))


def test_those_who_come_together_are_taken_in_a_few_turns_of_the_loop(
    listener: socket.socket, stack: ExitStack
) -> None:
    for _ in range(MANY):
        connect(listener, stack)

    async def turns() -> int:
        acceptor, count = Acceptor(listener, Echo), 0
        while Echo.made < MANY:
            await asyncio.sleep(0)
            count += 1
        acceptor.close()
        return count

    assert uvloop.run(asyncio.wait_for(turns(), 60)) < MANY / 2


def test_it_answers_without_delay_until_it_closes_and_whoever_is_there_stays(
    listener: socket.socket, stack: ExitStack
) -> None:
    address = listener.getsockname()

    async def scene() -> None:
        protocols: list[Echo] = []

        def make() -> Echo:
            protocols.append(Echo())
            return protocols[-1]

        acceptor = Acceptor(listener, make)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        taken = protocols[0].transport.get_extra_info("socket")
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert taken.getpeername() == writer.get_extra_info("sockname")
        acceptor.close()
        acceptor.close()
        await acceptor.wait_closed()
        with pytest.raises(OSError):
            await asyncio.open_connection(*address)
        writer.write(b"two")
        assert await reader.readexactly(3) == b"two"
        writer.close()

    uvloop.run(asyncio.wait_for(scene(), 60))


def test_a_connection_that_was_just_taken_when_it_closes_is_closed_too(
    listener: socket.socket, stack: ExitStack
) -> None:
    client = connect(listener, stack)

    async def scene() -> None:
        acceptor = Acceptor(listener, Echo)
        acceptor._accept()
        acceptor.close()
        await acceptor.wait_closed()

    uvloop.run(scene())
    assert (client.recv(1), Echo.made) == (b"", 0)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ECONNABORTED])
def test_what_cannot_be_taken_now_is_taken_later(
    number: int, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(socket.socket):
        failures = 2

        def accept(self) -> tuple[socket.socket, object]:
            if self.failures:
                self.failures -= 1
                raise OSError(number, "no")
            return super().accept()

    monkeypatch.setattr(accepting, "PAUSE_SECONDS", 0.01)
    listener = listening(stack.enter_context(Failing()))
    connect(listener, stack)

    async def scene() -> None:
        acceptor = Acceptor(listener, Echo)
        await eventually_async(lambda: Echo.made == 1)
        acceptor.close()

    uvloop.run(scene())
    assert ("no connection can be taken" in caplog.text) is (number != errno.ECONNABORTED)


def test_one_that_closes_while_it_waits_to_try_again_tries_no_more(
    listener: socket.socket, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    connect(listener, stack)

    async def scene() -> None:
        acceptor = Acceptor(listener, Echo)
        acceptor._loop.remove_reader(listener)
        acceptor._loop.call_later(0.01, acceptor._watch)
        acceptor.close()
        await asyncio.sleep(0.05)

    uvloop.run(scene())
    assert (Echo.made, caplog.text) == (0, "")
