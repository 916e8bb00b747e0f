"""uvicorn's HTTP protocol with the completion endpoints taken over; everything else stays ASGI.

What uvicorn does well is kept: keep-alive, pipelining, graceful stop, the ASGI side. Added are limits
on the head and on how long a client may take to send a request, and answers that are error objects.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.gateway.completion.request import CHAT, COMPLETIONS, Completion
from serving.gateway.errors import HeadTooLarge, Malformed, Stopping, TooSlow
from serving.gateway.http import wire
from serving.gateway.service import Gateway
from understudy.errors import UnderstudyError

HOT = {b"/v1" + CHAT: CHAT, b"/v1" + COMPLETIONS: COMPLETIONS}
UPGRADE = frozenset({b"upgrade", b"connection", b"http2-settings"})
LINGER_SECONDS = 2.0
"""How long a refused client may go on sending before it is cut off; closing at once could eat our answer."""
PROBE_SECONDS = 0.5
"""How often a client that closed its sending side is probed for having gone altogether."""
PROBE = b"HTTP/1.1 102 Processing\r\n\r\n"


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    def __init__(self, gateway: Gateway, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._gateway = gateway
        self._active: Completion | None = None
        self._in_message = self._in_head = False
        self._head_size = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._refusal: UnderstudyError | None = None
        self._lingering = self._half_closed = self._extended = self._upgrading = False

    @property
    def write_paused(self) -> bool:
        """Whether the client's buffer is full."""
        return bool(self.flow.write_paused)

    # transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._in_head = True
        self._watch(self._gateway.config.head_seconds)

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        in_head = self._in_message and self._in_head
        self._unset_keepalive_if_required()
        self._parse(data)
        if in_head and self._in_head:
            self._head_size += len(data)
            if self._head_size > self._gateway.config.max_head and not self._lingering:
                self._refuse(HeadTooLarge("the request's head is too large (gateway.max_head)"))
        if self._in_message and not self._lingering:
            if self._deadline is None:
                self._watch(self._gateway.config.head_seconds)
        elif self._deadline is not None:
            self._unwatch()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
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
        lines = [name + b": " + value for name, value in self.headers if name not in UPGRADE]
        if not self.parser.should_keep_alive():
            lines.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        self._parse(b"\r\n".join([b"%b %b HTTP/%b" % (method, self.url, version), *lines, b"", b""]) + rest)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client may close its sending side and still read; whether it does, a probe finds out."""
        self._half_closed = True
        if self._active is None:
            return False
        self._check_end(self._active)
        self._probe()
        return True

    def _check_end(self, request: Completion) -> None:
        """Refuse a request whose body can never be complete."""
        if self._half_closed and request.reading and request.waiting:
            request.break_off(Malformed("the connection was closed within the request"))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unwatch()
        self._unset_keepalive_if_required()
        active, self._active = self._active, None
        for request in (active, *(cycle for cycle, _ in self.pipeline)):
            if isinstance(request, Completion):
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
        self._in_message = self._in_head = True
        self._extended = False
        self._head_size = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._measure(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._measure(len(name) + len(value))

    def _measure(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._gateway.config.max_head:
            self._refusal = HeadTooLarge("the request's head is too large (gateway.max_head)")
            raise ValueError("head too large")

    def on_headers_complete(self) -> None:
        self._upgrading = self.parser.should_upgrade()
        if self._upgrading:
            return
        self._in_head = False
        path = HOT.get(self.url.partition(b"?")[0])
        if path is None or self.parser.get_method() != b"POST":
            super().on_headers_complete()
            return
        http10 = self.parser.get_http_version() == "1.0"
        keep_alive = not http10 and self.parser.should_keep_alive()
        request = Completion(self._gateway, self, path, self.headers, keep_alive, http10, self.expect_100_continue)
        previous, self.cycle = self.cycle, request  # type: ignore[assignment]
        if previous is None or previous.response_complete:
            self._start_asgi_task(request, None)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((request, None))  # type: ignore[arg-type]

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if isinstance(cycle, Completion):
            self._active = cycle
            cycle.take_turn()
            self._check_end(cycle)
        else:
            super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, Completion):
            self.cycle.feed(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        self._in_message = False
        if isinstance(self.cycle, Completion):
            self.cycle.body_complete()
        else:
            super().on_message_complete()

    # ends

    def finished(self, request: Completion) -> None:
        """A completion is over: the connection goes on to the next request, or closes."""
        if self._active is request:
            self._active = None
        if request.disconnected:
            return
        if self._half_closed and not self.pipeline:
            request.keep_alive = False
        if request.keep_alive:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._close_gently()

    def _close_gently(self) -> None:
        if self._in_message and not self._half_closed:
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Close our side, drop what still comes, cut off after a while."""
        if self._lingering or self.transport.is_closing():
            return
        self._lingering = True
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._watch(LINGER_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """What llhttp could not read, or what a callback refused."""
        refusal, self._refusal = self._refusal, None
        self._refuse(refusal or Malformed("this is not a valid HTTP request"))

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
        config = self._gateway.config
        if self._lingering or not self._in_message:
            self.transport.abort()
        elif self._active is not None and not self._active.reading:
            self._watch(config.head_seconds)  # a pipelined request, which we do not read yet
        elif not self._in_head and config.body_seconds > config.head_seconds and not self._extended:
            self._extended = True
            self._watch(config.body_seconds - config.head_seconds)
        else:
            self._time_out()

    def _time_out(self) -> None:
        error = TooSlow("the request was not sent in time")
        if self._active is not None and self._active.waiting:
            self._active.break_off(error)
        else:
            self._refuse(error)


def protocol_factory(gateway: Gateway) -> Callable[..., asyncio.Protocol]:
    """What uvicorn's `Config(http=...)` takes for `gateway`."""
    return functools.partial(GatewayProtocol, gateway)
