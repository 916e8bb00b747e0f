"""A connection to an engine: asyncio.Protocol and llhttp, kept alive, one request at a time.

httpx and aiohttp were considered; on this path a general client costs more than everything else together
(110 us and more against 20).
"""

from __future__ import annotations

import asyncio
import math
import select
from typing import Protocol, cast

import httptools

from serving.gateway.http.engine_state import AFTER, COMPLETE, READING, UNTOLD, EngineEvent, EngineState
from serving.gateway.http.wire import Headers

IDLE, WAITING, BODY, DONE = EngineState.IDLE, EngineState.WAITING, EngineState.BODY, EngineState.DONE
ASKED, HEAD_READ, TOLD, REPLY_READ = EngineEvent.ASKED, EngineEvent.HEAD_READ, EngineEvent.TOLD, EngineEvent.REPLY_READ
RELEASED = EngineEvent.RELEASED
MAX_HEAD = 256 << 10
"""Bytes of a reply before its body, interim replies included."""
MARGIN = 1.0
"""Seconds before the end that an engine names (`keep-alive: timeout=`) in which its connection is used no more."""


class ReplySink(Protocol):
    """Whoever asked; gets the reply as it comes. After `on_end` or `on_error` nothing follows."""

    def on_head(self, status: int, headers: Headers) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_end(self) -> None: ...
    def on_error(self, error: Exception) -> None: ...


class Home(Protocol):
    """Where a connection belongs when it carries no request."""

    outstanding: int

    def release(self, connection: Connection) -> None: ...
    def forget(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """One connection; serves one request at a time for a sink."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._transport: asyncio.Transport
        self._poll = select.poll()
        self._sink: ReplySink | None = None
        self._state = IDLE
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._parts: list[bytes] = []
        self._head_size = self._status = 0
        self.idle_since = 0.0
        self.keeps = math.inf
        """Seconds for which it may be idle and be used again, as far as the engine says."""

    def start(self, sink: ReplySink, data: bytes) -> None:
        """Send a request; `sink` hears of its reply."""
        self._state = AFTER[self._state, ASKED]
        self._sink = sink
        self._headers = []
        self._parts = []
        self._head_size = 0
        self._home.outstanding += 1
        self._transport.write(data)

    def abort(self) -> None:
        """Forget the request and close at once, so that the engine stops working on it."""
        self._state = AFTER[self._state, EngineEvent.CLOSED]
        self._detach()
        self._transport.abort()

    def pause(self) -> None:
        """Read no further: the client is slower than the engine."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    @property
    def ended(self) -> bool:
        """Whether it can carry no further request: what the engine sends while it is asked nothing is its end."""
        return self._transport.is_closing() or bool(self._poll.poll(0))

    @property
    def follows(self) -> bool:
        """Whether bytes of the body are told right after the head."""
        return bool(self._parts)

    def close(self) -> None:
        """Close an idle connection."""
        self._state = AFTER[self._state, EngineEvent.CLOSED]
        self._transport.close()

    # llhttp

    def on_message_begin(self) -> None:
        if self._state is not WAITING:
            self._state = AFTER[self._state, EngineEvent.MORE]

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._state is WAITING:
            name = name.lower()
            if name == b"keep-alive":
                self.keeps = kept_for(value)
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._state is WAITING:
            self._state = AFTER[WAITING, HEAD_READ]
            self._status = self._parser.get_status_code()

    def on_body(self, part: bytes) -> None:
        if self._state in READING:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        if self._state not in READING:
            return
        if 100 <= self._status < 200:
            self._headers = []
            self._state = AFTER[self._state, EngineEvent.INTERIM]
        else:
            self._state = AFTER[self._state, REPLY_READ if self._parser.should_keep_alive() else EngineEvent.LAST_READ]

    # transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        sink = self._sink
        if sink is None:
            self._transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._state not in COMPLETE:
                self._fail(error)
                return
            self._state = AFTER[self._state, EngineEvent.MORE]
        if self._state is WAITING:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self._fail(ConnectionError(f"its head is above {MAX_HEAD} bytes"))
            return
        self._tell(sink)

    def _tell(self, sink: ReplySink) -> None:
        """Hand on what was read; the sink may let go of the connection at each step."""
        if self._state in UNTOLD:
            self._state = AFTER[self._state, TOLD]
            sink.on_head(self._status, self._headers)
        if self._parts and self._sink is sink:
            body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
            sink.on_body(body)
        if self._state in COMPLETE and self._sink is sink:
            self._finish(sink)

    def _finish(self, sink: ReplySink) -> None:
        self._detach()
        if self._state is DONE and not self._transport.is_closing():
            self._state = AFTER[DONE, RELEASED]
            self._transport.resume_reading()
            self._home.release(self)
        else:
            self._state = AFTER[self._state, EngineEvent.CLOSED]
            self._transport.close()
        sink.on_end()

    def _fail(self, error: Exception) -> None:
        sink = self._sink
        self.abort()
        if sink is not None:
            sink.on_error(error)

    def _detach(self) -> None:
        if self._sink is not None:
            self._sink = None
            self._home.outstanding -= 1

    def connection_lost(self, error: Exception | None) -> None:
        self._home.forget(self)
        before, self._state = self._state, AFTER[self._state, EngineEvent.CLOSED]
        sink = self._sink
        if sink is None:
            return
        self._detach()
        framed = any(name in (b"content-length", b"transfer-encoding") for name, _ in self._headers)
        if before is BODY and error is None and not framed:
            sink.on_end()
        else:
            sink.on_error(error or ConnectionResetError("the engine closed the connection"))


def kept_for(value: bytes) -> float:
    """Seconds for which a connection may be idle by a `keep-alive` field such as `timeout=5`, less a margin."""
    for part in value.split(b","):
        name, _, seconds = part.strip().partition(b"=")
        if name.lower() == b"timeout" and seconds.isdigit():
            return int(seconds) - MARGIN
    return math.inf
