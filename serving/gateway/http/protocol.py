"""uvicorn's HTTP protocol with some endpoints taken over; everything else stays ASGI.

What uvicorn does well is kept: keep-alive, pipelining, graceful stop, the ASGI side. Added are limits
on connections, on the head and on how long a client may take to send a request, and answers that are error objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.gateway.http import head, wire
from serving.gateway.http.client_state import AFTER, HALF_CLOSED, WITHIN, ClientEvent, ClientState
from serving.gateway.http.endpoint import HotEndpoint, HotRequest, ReadLimits, RequestHead
from serving.gateway.http.errors import HeadTooLarge, Malformed, Stopping, TooManyConnections, TooSlow, Unreadable
from serving.gateway.http.patience import Patience
from understudy.errors import UnderstudyError
from understudy.process.admission import Admission
from understudy.process.alarms import Alarms

OPENED, HEAD, UPGRADE, BODY = ClientState.OPENED, ClientState.HEAD, ClientState.UPGRADE, ClientState.BODY
BETWEEN, LINGERING, CLOSED, CUT = ClientState.BETWEEN, ClientState.LINGERING, ClientState.CLOSED, ClientState.CUT
BEGIN, HEAD_READ, REQUEST_READ = ClientEvent.BEGIN, ClientEvent.HEAD_READ, ClientEvent.REQUEST_READ
UPGRADE_HEADERS = frozenset({b"upgrade", b"connection", b"http2-settings"})
LONG_HEAD = "the request's head is too large (gateway.max_head)"
LATE_REQUEST = "the request was not sent in time"
LINGER_SECONDS = 2.0
"""How long a refused client may go on sending before it is cut off; closing at once could eat our answer."""


class GatewayProtocol(HttpToolsProtocol):
    """One client connection; `endpoints` by path are asked for POST alone."""

    def __init__(
        self, limits: ReadLimits, endpoints: Mapping[bytes, HotEndpoint], admission: Admission, alarms: Alarms,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self._limits = limits
        self._endpoints = endpoints
        self._admission = admission
        self._address: str | None = None
        """What it counts under among the connections; None until it is let in."""
        self._state = OPENED
        self._reading: HotRequest | None = None
        """The last request whose head was read; None where it is for ASGI."""
        self._active: HotRequest | None = None
        """The request whose turn it is; None where none is under way, or one for ASGI."""
        self._head_size = 0
        """Bytes of the head that were told; the trailers of its body count, too."""
        self._untold = 0
        """Bytes that came in whole pieces since anything was told."""
        self._hosts = 0
        self._coding = b""
        self._held = False
        """Whether a request that is read waits for the client to read earlier replies."""
        self._patience = Patience(alarms, self._too_slow, self.timeout_keep_alive_handler)

    @property
    def write_paused(self) -> bool:
        """Whether the client's buffer is full."""
        return bool(self.flow.write_paused)

    # transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if self._admission.enter(address):
            self._address = address
            self._patience.watch(self._limits.head_seconds)
        else:
            error = TooManyConnections("too many connections are open; try again shortly (gateway.max_connections)")
            transport.write(wire.reply_bytes(error.status, wire.error_bytes(error), [wire.RETRY_AFTER], close=True))
            transport.close()

    def data_received(self, data: bytes) -> None:
        if self._state is LINGERING:
            return
        if self._patience.resting:
            self._patience.end()
        self._untold += len(data)
        self._parse(data)
        if self._untold > self._limits.max_head and self._state in WITHIN:
            self._refuse(HeadTooLarge(LONG_HEAD))
        if self._state in WITHIN:
            if not self._patience.watching:
                self._patience.watch(self._limits.head_seconds)
        elif self._patience.watching and self._state is BETWEEN and not self._held:
            self._patience.end()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            ours = error.__context__  # what a callback raised
            self._refuse(ours if isinstance(ours, Unreadable) else head.unparsed(str(error)))
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
        """A client that closes its sending side has gone, unless `half_close` says that it may still read."""
        self._state = AFTER[self._state, ClientEvent.EOF]
        if self.cycle is None or self.cycle.response_complete:
            return False
        active = self._active
        if active is None:
            self.cycle.keep_alive = False
            return self._limits.half_close and self._state is ClientState.ENDED
        if self._limits.half_close or (self._state is CUT and active.reading):
            self._check_end(active)
        else:
            self.transport.abort()
        return True

    def _check_end(self, request: HotRequest) -> None:
        """Refuse a request whose body can never be complete."""
        if self._state is CUT and request.reading and request.waiting:
            request.break_off(Malformed("the connection was closed within the request"))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._state = AFTER[self._state, ClientEvent.LOST]
        self._patience.end()
        if self._address is not None:
            self._admission.leave(self._address)
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
        elif self._held:
            self._held = False
            self._patience.end()
            if self._state in WITHIN:
                self._patience.watch(self._limits.head_seconds)
            self.flow.resume_reading()
            self._start_asgi_task(*self.pipeline.pop())

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # it reads nothing, so it would never be closed
        else:
            super().timeout_keep_alive_handler()

    # llhttp

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._state = AFTER[self._state, BEGIN]
        self._head_size = self._untold = self._hosts = 0
        self._coding = b""

    def on_url(self, url: bytes) -> None:
        self.url += url
        self._measure(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._measure(len(name) + len(value) + 4)
        if self._state is HEAD:  # a trailer says what it says too late to be acted on
            name = name.lower()
            if name in head.WATCHED:
                self._weigh(name, value.strip().lower())
            self.headers.append((name, value))

    def _weigh(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = value == b"100-continue"
        else:
            self._coding = b", ".join(filter(None, (self._coding, value)))

    def _measure(self, size: int) -> None:
        self._untold = 0
        self._head_size += size
        if self._head_size > self._limits.max_head:
            raise HeadTooLarge(LONG_HEAD)

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        head.check(version, self._hosts, self._coding)
        if self.parser.should_upgrade():
            self._state = AFTER[self._state, ClientEvent.OFFER_UPGRADE]
            return
        self._state = AFTER[self._state, HEAD_READ]
        if self._state is LINGERING:
            return
        http10 = version == "1.0"
        if http10:
            self.expect_100_continue = False  # it knows no interim reply
        if self.url[:1] != b"/":
            self.url = head.origin_form(self.url)
        path, _, query = self.url.partition(b"?")
        path = head.plain(path)
        endpoint = self._endpoints.get(path)
        if endpoint is None or self.parser.get_method() != b"POST":
            self._reading = None
            super().on_headers_complete()
            return
        keep_alive = not http10 and self.parser.should_keep_alive()
        request = endpoint(self, RequestHead(path, query, self.headers, keep_alive, http10, self.expect_100_continue))
        self._reading = request
        previous, self.cycle = self.cycle, request  # type: ignore[assignment]
        if previous is None or previous.response_complete:
            self._start_asgi_task(request, None)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((request, None))  # type: ignore[arg-type]

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Begin the request whose turn it is, once the client has room for its reply; without an app it is ours."""
        if self.flow.write_paused:
            self.pipeline.append((cycle, app))
            self._held = True
            self.flow.pause_reading()
            self._patience.watch(self._limits.body_seconds)
        elif app is None:
            self._active = cycle
            cycle.take_turn()
            self._check_end(cycle)
        else:
            super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        self._untold = 0
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

    def on_response_complete(self) -> None:
        """As uvicorn has it, but for the timer: go on to the next request, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._patience.rest(self.timeout_keep_alive)

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
        self._patience.watch(LINGER_SECONDS)

    def _refuse(self, error: UnderstudyError) -> None:
        if self._active is not None and self._active.reading and self._active.waiting:
            self._active.break_off(error)
            return
        if self._active is not None or (self.cycle is not None and not self.cycle.response_complete):
            self.transport.abort()
            return
        reply = wire.reply_bytes(error.status, body := wire.error_bytes(error), close=True)
        self.transport.write(reply.removesuffix(body) if self.parser.get_method() == b"HEAD" else reply)
        self._linger()

    def cut(self) -> None:
        """The drain is over: end what still runs, and say so to the client."""
        if self._active is not None:
            self._active.break_off(Stopping("the gateway stops; try again"))
        self.transport.close()

    # time

    def _too_slow(self) -> None:
        limits = self._limits
        if self._held or self._state is OPENED or self._state is LINGERING:
            self.transport.abort()
        elif self._active is not None and not self._active.reading:
            self._patience.watch(limits.head_seconds)  # a pipelined request, which we do not read yet
        elif self._state is BODY and limits.body_seconds > limits.head_seconds:
            self._state = AFTER[BODY, ClientEvent.LATE]
            self._patience.watch(limits.body_seconds - limits.head_seconds)
        elif self._active is not None and self._active.waiting:
            self._active.break_off(TooSlow(LATE_REQUEST))
        else:
            self._refuse(TooSlow(LATE_REQUEST))
