"""Connections to engines: asyncio.Protocol and llhttp, kept alive, least outstanding first, passive health.

httpx and aiohttp were considered; on this path a general client costs more than everything else together
(110 us and more against 20).
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import urlsplit

import httptools

from deploy.engines.address import api_base
from serving.gateway.http.engine_state import AFTER, COMPLETE, READING, UNTOLD, EngineEvent, EngineState
from serving.gateway.http.wire import Headers
from understudy.clock import Clock, monotonic

IDLE, WAITING, BODY, DONE = EngineState.IDLE, EngineState.WAITING, EngineState.BODY, EngineState.DONE
ASKED, HEAD_READ, TOLD, REPLY_READ = EngineEvent.ASKED, EngineEvent.HEAD_READ, EngineEvent.TOLD, EngineEvent.REPLY_READ
RELEASED = EngineEvent.RELEASED
MAX_IDLE = 256
"""Idle connections kept for each endpoint."""
MAX_HEAD = 256 << 10
"""Bytes of a reply before its body, interim replies included."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds that an endpoint which failed is avoided: doubled by each further failure."""
FAILURES_5XX = 3
"""So many replies with 5xx in a row count as a failure of the endpoint."""


class ReplySink(Protocol):
    """Whoever asked; gets the reply as it comes. After `on_end` or `on_error` nothing follows."""

    def on_head(self, status: int, headers: Headers) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_end(self) -> None: ...
    def on_error(self, error: Exception) -> None: ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine is. `prefix` is the path before /chat/completions, such as /v1."""

    host: str
    port: int
    prefix: str
    tls: bool

    @property
    def host_header(self) -> bytes:
        """Value of the `host` header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}".encode()


def parse_url(url: str) -> Address:
    """Address of an engine's URL."""
    parts = urlsplit(api_base(url))
    tls = parts.scheme == "https"
    return Address(parts.hostname or "", parts.port or (443 if tls else 80), parts.path, tls)


class Connection(asyncio.Protocol):
    """One connection; serves one request at a time for a sink."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._transport: asyncio.Transport
        self._sink: ReplySink | None = None
        self._state = IDLE
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._parts: list[bytes] = []
        self._head_size = self._status = 0
        self.idle_since = 0.0

    def start(self, sink: ReplySink, data: bytes) -> None:
        """Send a request; `sink` hears of its reply."""
        self._state = AFTER[self._state, ASKED]
        self._sink = sink
        self._headers = []
        self._parts = []
        self._head_size = 0
        self._endpoint.outstanding += 1
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
    def closing(self) -> bool:
        """Whether it can carry no further request."""
        return self._transport.is_closing()

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
            self._headers.append((name.lower(), value))

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
            kept = self._parser.should_keep_alive()
            self._state = AFTER[self._state, REPLY_READ if kept else EngineEvent.LAST_READ]

    # transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

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
            self._endpoint.release(self)
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
            self._endpoint.outstanding -= 1

    def connection_lost(self, error: Exception | None) -> None:
        self._endpoint.forget(self)
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


class Endpoint:
    """One address: its idle connections, how much it has to do, and whether it failed lately."""

    def __init__(self, url: str, reuse_seconds: float, clock: Clock) -> None:
        self.address = parse_url(url)
        self.outstanding = 0
        self._idle: deque[Connection] = deque()
        self._reuse = reuse_seconds
        self._clock = clock
        self._failures = 0
        self._errors_5xx = 0
        self._down_until = 0.0
        self.answered_at = -math.inf
        """When it last began a reply with a status below 500, by the clock."""
        self._tls = ssl.create_default_context() if self.address.tls else None

    def idle(self) -> Connection | None:
        """A connection that was used just now, if there is one; older ones are closed."""
        while self._idle:
            connection = self._idle.pop()
            if self._clock() - connection.idle_since > self._reuse:
                connection.close()
            elif not connection.closing:
                return connection
        return None

    async def connect(self, seconds: float) -> Connection:
        """A new connection.

        Raises:
            OSError: refused, unknown host, or not within `seconds`.
        """
        loop = asyncio.get_running_loop()
        making = loop.create_connection(lambda: Connection(self), self.address.host, self.address.port, ssl=self._tls)
        return (await asyncio.wait_for(making, seconds))[1]

    def release(self, connection: Connection) -> None:
        """Take back a connection whose reply is complete."""
        connection.idle_since = self._clock()
        self._idle.append(connection)
        if len(self._idle) > MAX_IDLE:
            self._idle.popleft().close()

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    @property
    def down(self) -> bool:
        """Whether it failed so lately that another should be asked."""
        return self._failures > 0 and self._clock() < self._down_until

    def failed(self) -> None:
        """It refused a connection, broke one off before its reply, or was too slow."""
        self._failures += 1
        pause = min(FIRST_PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE)
        self._down_until = self._clock() + pause

    def answered(self, status: int) -> None:
        """It began a reply."""
        if status < 500:
            self.answered_at = self._clock()
            self._failures = self._errors_5xx = 0
            return
        self._errors_5xx += 1
        if self._errors_5xx >= FAILURES_5XX:
            self._errors_5xx = 0
            self.failed()


class Upstreams:
    """Endpoints by URL. A slot's URL may name several replicas, separated by commas."""

    def __init__(self, reuse_seconds: float, clock: Clock = monotonic) -> None:
        self._reuse = reuse_seconds
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {}
        self._groups: dict[str, list[Endpoint]] = {}

    def pick(self, urls: str) -> Endpoint:
        """The endpoint of `urls` with the least to do; one that is down only if all are."""
        group = self.group(urls)
        if len(group) == 1:
            return group[0]
        return min(group, key=lambda endpoint: (endpoint.down, endpoint.outstanding))

    def group(self, urls: str) -> list[Endpoint]:
        """Every endpoint of `urls`."""
        group = self._groups.get(urls)
        if group is None:
            group = self._groups[urls] = [self._endpoint(url.strip()) for url in urls.split(",")]
        return group

    def _endpoint(self, url: str) -> Endpoint:
        if url not in self._endpoints:
            self._endpoints[url] = Endpoint(url, self._reuse, self._clock)
        return self._endpoints[url]

    def down(self, urls: str) -> bool:
        """Whether every endpoint of `urls` failed lately."""
        return self.pick(urls).down

    def close(self) -> None:
        """Close what is idle."""
        for endpoint in self._endpoints.values():
            endpoint.close()
