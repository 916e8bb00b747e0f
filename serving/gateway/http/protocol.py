"""uvicorn's HTTP protocol with some endpoints taken over; everything else stays ASGI.

What uvicorn does well is kept: keep-alive, pipelining, graceful stop, the ASGI side. Added are limits
on the head and on how long a client may take to send a request, and answers that are error objects.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.gateway.http import wire
from serving.gateway.http.client_state import AFTER, HALF_CLOSED, WITHIN, ClientEvent, ClientState
from serving.gateway.http.endpoint import HotEndpoint, HotRequest, ReadLimits, RequestHead
from serving.gateway.http.errors import HeadTooLarge, Malformed, Stopping, TooSlow
from understudy.errors import UnderstudyError

OPENED, HEAD, UPGRADE, BODY = ClientState.OPENED, ClientState.HEAD, ClientState.UPGRADE, ClientState.BODY
BETWEEN, LINGERING, CUT, CLOSED = ClientState.BETWEEN, ClientState.LINGERING, ClientState.CUT, ClientState.CLOSED
BEGIN, HEAD_READ, REQUEST_READ = ClientEvent.BEGIN, ClientEvent.HEAD_READ, ClientEvent.REQUEST_READ
UPGRADE_HEADERS = frozenset({b"upgrade", b"connection", b"http2-settings"})
LINGER_SECONDS = 2.0
"""How long a refused client may go on sending before it is cut off; closing at once could eat our answer."""
PROBE_SECONDS = 0.5
"""How often a client that closed its sending side is probed for having gone altogether."""
PROBE = b"HTTP/1.1 102 Processing\r\n\r\n"


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    def __init__(self, limits: ReadLimits, endpoints: Mapping[bytes, HotEndpoint], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._limits = limits
        self._endpoints = endpoints
        self._state = OPENED
        self._reading: HotRequest | None = None
        """The last request whose head was read; None where it is for ASGI."""
        self._active: HotRequest | None = None
        """The request whose turn it is; None where none is under way, or one for ASGI."""
        self._head_size = 0
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def write_paused(self) -> bool:
        """Whether the client's buffer is full."""
        return bool(self.flow.write_paused)

    # transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch(self._limits.head_seconds)

    def data_received(self, data: bytes) -> None:
        before = self._state
        if before is LINGERING:
            return
        self._unset_keepalive_if_required()
        self._parse(data)
        if before is HEAD and self._state is HEAD:
            self._head_size += len(data)
            if self._head_size > self._limits.max_head:
                self._refuse(head_too_large())
        if self._state in WITHIN:
            if self._deadline is None:
                self._watch(self._limits.head_seconds)
        elif self._deadline is not None and self._state is BETWEEN:
            self._unwatch()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            ours = error.__context__  # what a callback raised
            self._refuse(ours if isinstance(ours, HeadTooLarge) else Malformed("this is not a valid HTTP request"))
        except httptools.HttpParserUpgrade as stopped:
            self._ignore_upgrade(data[stopped.args[0] :])

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read a request that asks for another protocol as if it had not, which a server may (RFC 9110, 7.8).

        The parser takes whatever follows such a head for that protocol, so another one gets the head without it.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self._refuse(Malformed("this is not a proxy"))
            return
        lines = [name + b": " + value for name, value in self.headers if name not in UPGRADE_HEADERS]
        if not self.parser.should_keep_alive():
            lines.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        self._parse(b"\r\n".join([b"%b %b HTTP/%b" % (method, self.url, version), *lines, b"", b""]) + rest)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client may close its sending side and still read; whether it does, a probe finds out."""
        self._state = AFTER[self._state, ClientEvent.EOF]
        if self._active is None:
            return False
        self._check_end(self._active)
        self._probe()
        return True

    def _check_end(self, request: HotRequest) -> None:
        """Refuse a request whose body can never be complete."""
        if self._state is CUT and request.reading and request.waiting:
            request.break_off(Malformed("the connection was closed within the request"))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._state = AFTER[self._state, ClientEvent.LOST]
        self._unwatch()
        self._unset_keepalive_if_required()
        active, self._active = self._active, None
        queued: Any = [cycle for cycle, app in self.pipeline if app is None]
        for request in queued if active is None else [active, *queued]:
            request.client_gone()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._active is not None:
            self._active.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._active is not None:
            self._active.resume()

    # llhttp

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._state = AFTER[self._state, BEGIN]
        self._head_size = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._measure(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._measure(len(name) + len(value))

    def _measure(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._limits.max_head:
            raise head_too_large()

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self._state = AFTER[self._state, ClientEvent.OFFER_UPGRADE]
            return
        self._state = AFTER[self._state, HEAD_READ]
        if self._state is LINGERING:
            return
        path = self.url.partition(b"?")[0]
        endpoint = self._endpoints.get(path)
        if endpoint is None or self.parser.get_method() != b"POST":
            self._reading = None
            super().on_headers_complete()
            return
        http10 = self.parser.get_http_version() == "1.0"
        keep_alive = not http10 and self.parser.should_keep_alive()
        request = endpoint(self, RequestHead(path, self.headers, keep_alive, http10, self.expect_100_continue))
        self._reading = request
        previous, self.cycle = self.cycle, request  # type: ignore[assignment]
        if previous is None or previous.response_complete:
            self._start_asgi_task(request, None)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((request, None))  # type: ignore[arg-type]

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Begin the request whose turn it is; without an application it is one of ours."""
        if app is None:
            self._active = cycle
            cycle.take_turn()
            self._check_end(cycle)
        else:
            super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        if self._reading is not None:
            self._reading.feed(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._state is UPGRADE:
            return
        self._state = AFTER[self._state, REQUEST_READ]
        if self._reading is not None:
            self._reading.body_complete()
        else:
            super().on_message_complete()

    # ends

    def finished(self, request: HotRequest) -> None:
        """A request of ours is over: the connection goes on to the next request, or closes."""
        if self._active is request:
            self._active = None
        if self._state is CLOSED:
            return
        if self._state in HALF_CLOSED and not self.pipeline:
            request.keep_alive = False
        if request.keep_alive:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._close_gently()

    def _close_gently(self) -> None:
        if self._state in WITHIN:
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Close our side, drop what still comes, cut off after a while."""
        if self._state is LINGERING or self.transport.is_closing():
            return
        self._state = AFTER[self._state, ClientEvent.REFUSED]
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._watch(LINGER_SECONDS)

    def _refuse(self, error: UnderstudyError) -> None:
        if self._active is not None and self._active.reading and self._active.waiting:
            self._active.break_off(error)
            return
        if self._active is not None or (self.cycle is not None and not self.cycle.response_complete):
            self.transport.abort()
            return
        self.transport.write(wire.reply_bytes(error.status, wire.error_bytes(error), close=True))
        self._linger()

    def cut(self) -> None:
        """The drain is over: end what still runs, and say so to the client."""
        if self._active is not None:
            self._active.break_off(Stopping("the gateway stops; try again"))
        self.transport.close()

    def _probe(self) -> None:
        active = self._active
        if active is None or not active.waiting or self.transport.is_closing():
            return
        if not active.http10:
            self.transport.write(PROBE)
            self.loop.call_later(PROBE_SECONDS, self._probe)

    # time

    def _watch(self, seconds: float) -> None:
        self._unwatch()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        limits = self._limits
        if self._state is OPENED or self._state is LINGERING:
            self.transport.abort()
        elif self._active is not None and not self._active.reading:
            self._watch(limits.head_seconds)  # a pipelined request, which we do not read yet
        elif self._state is BODY and limits.body_seconds > limits.head_seconds:
            self._state = AFTER[BODY, ClientEvent.LATE]
            self._watch(limits.body_seconds - limits.head_seconds)
        else:
            self._time_out()

    def _time_out(self) -> None:
        error = TooSlow("the request was not sent in time")
        if self._active is not None and self._active.waiting:
            self._active.break_off(error)
        else:
            self._refuse(error)


def head_too_large() -> HeadTooLarge:
    """The refusal of a head above the limit."""
    return HeadTooLarge("the request's head is too large (gateway.max_head)")


def protocol_factory(limits: ReadLimits, endpoints: Mapping[bytes, HotEndpoint]) -> Callable[..., asyncio.Protocol]:
    """What uvicorn's `Config(http=...)` takes; `endpoints` by path are asked for POST alone."""
    return functools.partial(GatewayProtocol, limits, endpoints)
