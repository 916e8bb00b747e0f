"""A valid exchange that is cut at any byte, on the client's side or on the engine's, is the same exchange.

Each piece is sent when the gateway has read the one before it. h11 reads what the engine gets and what the client gets,
and whatever it refuses fails the test.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import h11
import pytest

from serving.gateway.http.protocol import GatewayProtocol
from serving.gateway.http.upstream import Connection
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.raw import BODY, SECONDS, STREAM, request
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, response, run
from tests.waiting import PATIENCE

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
IN_THREE = 1000 if FULL else 0
"""Exchanges of each kind that are cut at two places, besides all that are cut at one."""
Ends = frozenset[Any]
"""A connection, by the addresses of its two ends."""
NAMED = b"x-request-id"
"""What the gateway names anew in each request to an engine."""


def ends(connection: asyncio.StreamWriter | asyncio.Transport) -> Ends:
    return frozenset(connection.get_extra_info(name) for name in ("sockname", "peername"))


class Progress:
    """How many bytes the gateway has read of each connection."""

    def __init__(self) -> None:
        self._read: Counter[Ends] = Counter()
        self._more = asyncio.Event()

    def counting(self, received: Callable[[Any, bytes], None], transport: str) -> Callable[[Any, bytes], None]:
        """`data_received` of a protocol that keeps its transport by that name."""

        def counted(protocol: Any, data: bytes) -> None:
            self._read[ends(getattr(protocol, transport))] += len(data)
            self._more.set()
            received(protocol, data)

        return counted

    async def send(self, writer: asyncio.StreamWriter, pieces: Sequence[bytes]) -> None:
        """Send each piece when the one before it is read."""
        due = self._read[ends(writer)]
        for piece in pieces:
            writer.write(piece)
            due += len(piece)
            while self._read[ends(writer)] < due:
                self._more.clear()
                await self._more.wait()


class Message(NamedTuple):
    """A request or a reply as h11 reads it."""

    start: tuple[bytes | int, bytes]
    """Method and target, or status and reason."""
    fields: list[tuple[bytes, bytes]]
    body: bytes
    interim: tuple[int, ...]


async def told(talk: h11.Connection, reader: asyncio.StreamReader) -> h11.Event:
    """What comes next."""
    while (got := talk.next_event()) is h11.NEED_DATA:
        talk.receive_data(await reader.read(65536))
    assert isinstance(got, h11.Event), got
    return got


async def message(talk: h11.Connection, reader: asyncio.StreamReader) -> Message | None:
    """The next message, without trailers; None where the connection ends instead."""
    start: tuple[bytes | int, bytes] = (b"", b"")
    fields: list[tuple[bytes, bytes]] = []
    body, interim = b"", []
    while not isinstance(got := await told(talk, reader), h11.EndOfMessage):
        if isinstance(got, h11.InformationalResponse):
            interim.append(got.status_code)
        elif isinstance(got, h11.Request):
            assert NAMED in dict(got.headers)
            start, fields = (got.method, got.target), sorted(field for field in got.headers if field[0] != NAMED)
        elif isinstance(got, h11.Response):
            start, fields = (got.status_code, got.reason), sorted(field for field in got.headers if field[0] != b"date")
        elif isinstance(got, h11.Data):
            body += bytes(got.data)
        else:
            assert isinstance(got, h11.ConnectionClosed), got
            return None
    assert not list(got.headers), "trailers"
    return Message(start, fields, body, tuple(interim))


class Careful(Engine):
    """An engine that reads with h11, and says the same to each request, in pieces."""

    def __init__(self, loop: asyncio.AbstractEventLoop, progress: Progress) -> None:
        super().__init__("teacher", loop)
        self._progress = progress
        self.pieces = [REPLY]
        self.closes = False
        self.asked: list[Message] = []
        self.refused: list[Exception] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while asked := await self._read(reader):
                self.asked.append(asked)
                await self._progress.send(writer, self.pieces)
                if self.closes:
                    break
        except (h11.ProtocolError, AssertionError) as error:
            self.refused.append(error)
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Message | None:
        talk = h11.Connection(h11.SERVER)
        asked = await message(talk, reader)
        assert asked is None or talk.trailing_data == (b"", False), talk.trailing_data
        return asked


Replied = tuple[list[Message], list[Message]]
"""What the client got, and what the engine."""


async def exchange(port: int, progress: Progress, engine: Careful, parts: Sequence[Sequence[bytes]]) -> Replied:
    """Send the pieces of each part, those of a second one when the first has got `100 Continue`; read to the end."""
    engine.asked.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    talk = h11.Connection(h11.CLIENT)
    replies: list[Message] = []
    try:
        async with asyncio.timeout(SECONDS * PATIENCE):
            _begin(talk)
            await progress.send(writer, parts[0])
            for part in parts[1:]:
                got = await told(talk, reader)
                assert isinstance(got, h11.InformationalResponse), got
                assert got.status_code == 100
                await progress.send(writer, part)
            while reply := await message(talk, reader):
                replies.append(reply)
                if talk.their_state is h11.DONE:
                    talk.start_next_cycle()
                    _begin(talk)
    finally:
        writer.transport.abort()
    assert not engine.refused, engine.refused
    return replies, list(engine.asked)


def _begin(talk: h11.Connection) -> None:
    """Let h11 expect a reply: what is sent it does not see."""
    talk.send(h11.Request(method="POST", target="/", headers=[("host", "a")]))
    talk.send(h11.EndOfMessage())


def cuts(size: int) -> Iterator[tuple[int, ...]]:
    """Every single place, and at full counts some pairs of places."""
    yield from ((place,) for place in range(1, size))
    for _ in range(IN_THREE):
        yield tuple(sorted(random.SystemRandom().sample(range(1, size), 2)))


def pieces(parts: Sequence[bytes], places: tuple[int, ...]) -> list[list[bytes]]:
    """Each part, cut at those places of the whole that lie within it."""
    found, begins = [], 0
    for part in parts:
        within = [place - begins for place in places if 0 < place - begins < len(part)]
        found.append([part[first:last] for first, last in pairwise([0, *within, len(part)])])
        begins += len(part)
    return found


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch) -> Progress:
    made = Progress()
    monkeypatch.setattr(GatewayProtocol, "data_received", made.counting(GatewayProtocol.data_received, "transport"))
    monkeypatch.setattr(Connection, "data_received", made.counting(Connection.data_received, "_transport"))
    return made


@pytest.fixture
def careful(loop: asyncio.AbstractEventLoop, progress: Progress) -> Iterator[Careful]:
    made = Careful(loop, progress)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def gateway(serve: Callable[..., Running], careful: Careful) -> Running:
    return serve(document({"teacher": careful}))


def alike(
    loop: asyncio.AbstractEventLoop, size: int, one: Callable[[tuple[int, ...]], Awaitable[Replied]]
) -> Replied:  # fmt: skip
    """What the exchange gives that is not cut, which every other gives, too."""

    async def all_cuts() -> Replied:
        whole = await one(())
        for places in cuts(size):
            try:
                got = await one(places)
            except Exception as error:
                raise AssertionError(f"cut at {places}: {error!r}") from error
            assert got == whole, f"cut at {places}"
        return whole

    found: Replied = run(loop, all_cuts(), 600 * PATIENCE)
    return found


ANSWER = b'{"choices":[{"index":0,"message":{"content":"\xe4\xbd\xa0"},"finish_reason":"stop"}]}'
REPLY = response(ANSWER)
ONE, TWO, CLOSE = b"x-request-id: one\r\n", b"x-request-id: two\r\n", b"connection: close\r\n"
OTHER = BODY.replace("你".encode(), b"hello")
WAITING = request(extra=ONE + CLOSE + b"expect: 100-continue\r\n")
ASKED: dict[str, tuple[bytes, ...]] = {
    "sized": (request(extra=ONE + CLOSE),),
    "chunked": (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n" + ONE + CLOSE + b"transfer-encoding: chunked\r\n\r\n"
        b'7;a=b;c="d; e"\r\n' + BODY[:7] + b"\r\n" + chunk(BODY[7:]) + b"0;last\r\nx-trailer: 1\r\nhost: b\r\n\r\n",
    ),
    "pipelined": (
        request(extra=ONE) + b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n" + request(OTHER, TWO + CLOSE),
    ),
    "expecting": (WAITING[: -len(BODY)], BODY),
}  # fmt: skip


@pytest.mark.timeout(1000 if FULL else 60)
@pytest.mark.parametrize("kind", ASKED)
def test_a_request_that_is_cut_anywhere_is_the_same_request(
    gateway: Running, careful: Careful, progress: Progress, loop: asyncio.AbstractEventLoop, kind: str
) -> None:
    parts = ASKED[kind]

    def one(places: tuple[int, ...]) -> Awaitable[Replied]:
        return exchange(gateway.port, progress, careful, pieces(parts, places))

    replies, asked = alike(loop, sum(map(len, parts)), one)
    among = [b'{"status":"ok"}', ANSWER] if kind == "pipelined" else []
    assert [(reply.start, reply.body) for reply in replies] == [((200, b"OK"), body) for body in [ANSWER, *among]]
    assert [got.body for got in asked] == ([BODY, OTHER] if kind == "pipelined" else [BODY])


EVENTS = event("你") + event("好", finish="stop") + b"data: [DONE]\n\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
SAID: dict[str, tuple[bytes, bytes]] = {
    "sized": (REPLY, ANSWER),
    "chunked": (
        CHUNKED + b"9;a=b\r\n" + ANSWER[:9] + b"\r\n" + chunk(ANSWER[9:]) + b"0\r\nx-trailer: 1\r\n\r\n", ANSWER,
    ),
    "events": (SSE_HEAD + chunk(EVENTS[:30]) + chunk(EVENTS[30:]) + b"0\r\n\r\n", EVENTS),
    "closing": (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + ANSWER, ANSWER),
    "closing events": (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + EVENTS, EVENTS),
    "interim": (INTERIM + REPLY, ANSWER),
}  # fmt: skip
"""What an engine says, and the body that comes of it."""


@pytest.mark.timeout(1000 if FULL else 60)
@pytest.mark.parametrize("kind", SAID)
def test_a_reply_that_is_cut_anywhere_is_the_same_reply(
    gateway: Running, careful: Careful, progress: Progress, loop: asyncio.AbstractEventLoop, kind: str
) -> None:
    said, body = SAID[kind]
    careful.closes = kind.startswith("closing")
    asking = STREAM if kind.endswith("events") else BODY

    def one(places: tuple[int, ...]) -> Awaitable[Replied]:
        (careful.pieces,) = pieces([said], places)
        return exchange(gateway.port, progress, careful, [[request(asking, ONE + CLOSE)]])

    replies, asked = alike(loop, len(said), one)
    assert [(reply.start, reply.body, reply.interim) for reply in replies] == [((200, b"OK"), body, ())]
    assert [got.body for got in asked] == [asking]
