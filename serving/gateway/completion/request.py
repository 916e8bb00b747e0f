"""One completion request from its head to its last byte: check, ask, pass on, copy aside.

It stands in for uvicorn's request cycle on the hot paths (see `protocol.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

from serving.gateway.body.parser import conversation_hash
from serving.gateway.completion.capture import RawExchange
from serving.gateway.completion.forward import Forward
from serving.gateway.errors import TooMany
from serving.gateway.http import wire
from serving.gateway.http.reply import ClientReply, EngineRefusal
from serving.gateway.http.wire import Headers
from serving.gateway.keys import bearer_of
from serving.gateway.routing import Ask
from serving.gateway.service import SMALL, Gateway
from understudy.errors import TooLarge, UnderstudyError

if TYPE_CHECKING:
    from serving.gateway.http.protocol import GatewayProtocol

log = logging.getLogger("understudy.gateway")

CHAT, COMPLETIONS = b"/chat/completions", b"/completions"
RETRY_AFTER = b"retry-after: 1\r\n"
CANCELLED = 499
"""Status under which a request is counted whose client went away before the reply began."""


class _NobodyWaits:
    """In place of the event by which uvicorn wakes its ASGI task; a completion has none."""

    def set(self) -> None:
        """Nobody waits."""


class Completion:
    """A request to /v1/chat/completions or /v1/completions."""

    message_event = _NobodyWaits()

    def __init__(
        self, gateway: Gateway, protocol: GatewayProtocol, path: bytes, headers: Headers,
        keep_alive: bool, http10: bool, expects: bool,
    ) -> None:  # fmt: skip
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self.request_id = os.urandom(16).hex()
        self._gateway = gateway
        self._protocol = protocol
        self._path = path
        self._headers = headers
        self._given = dict(headers)
        self.http10 = http10
        self._expects = expects
        self._key, self._tenant = "", ""
        self._refusal: UnderstudyError | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._complete = self._released = self._counted = False
        self._began = gateway.clock()
        self._raw = b""
        self._ask: Ask | None = None
        self._forward: Forward | None = None
        self._reply: ClientReply | None = None

    # the client's side

    def feed(self, part: bytes) -> None:
        """Take a part of the body; beyond a limit the request is refused at once and read no further."""
        if self._refusal is not None or self.response_complete:
            return
        gateway = self._gateway
        self._parts.append(part)
        self._size += len(part)
        gateway.buffered += len(part)
        try:
            if self._size > gateway.config.max_body:
                raise self._too_large()
            gateway.check_room(self._size)
        except UnderstudyError as error:
            self._refuse(error)

    def _refuse(self, error: UnderstudyError) -> None:
        self._refusal = error
        self._forget_body()
        if self._released:
            self.break_off(error)

    def _forget_body(self) -> None:
        """Forget the body."""
        self._gateway.buffered -= self._size
        self._size, self._parts = 0, []

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is above {self._gateway.config.max_body} bytes (gateway.max_body)")

    def body_complete(self) -> None:
        """The last byte of the request is here."""
        self._complete = True
        if self._released:
            self._run()

    def take_turn(self) -> None:
        """It is this request's turn on its connection: see what its head tells, before its body is sent."""
        self._released = True
        length = self._given.get(b"content-length", b"")
        size = int(length) if length.isdigit() else SMALL + 1
        try:
            self._admit(size if length else 0)
        except UnderstudyError as error:
            self._refusal = self._refusal or error
        if self._complete:
            asyncio.get_running_loop().call_soon(self._run)
        elif self._refusal is not None and (self._expects or size > min(SMALL, self._gateway.config.max_body)):
            self.break_off(self._refusal)
        elif self._expects:
            self._protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _admit(self, size: int) -> None:
        gateway = self._gateway
        if size > gateway.config.max_body:
            raise self._too_large()
        self._key = bearer_of(self._header(b"authorization"))
        self._tenant = gateway.keys.tenant(self._key)
        if gateway.metrics.in_flight >= gateway.config.max_concurrent:
            raise TooMany(f"{gateway.config.max_concurrent} requests are in flight; try again shortly")
        gateway.metrics.in_flight += 1
        self._counted = True

    def break_off(self, error: UnderstudyError) -> None:
        """Answer a request that is not read to its end, and close."""
        self.keep_alive = False
        self.fail(error)

    def client_gone(self) -> None:
        """The client closed its connection: the engine stops working for it."""
        self.disconnected = True
        if not self.response_complete:
            self._finish("cancelled")

    def pause(self) -> None:
        """The client reads more slowly than the engine writes."""
        if self._forward is not None:
            self._forward.pause()

    def resume(self) -> None:
        """The client has caught up."""
        if self._forward is not None:
            self._forward.resume()

    @property
    def _arm(self) -> str:
        decision = None if self._forward is None else self._forward.decision
        return "" if decision is None else decision.arm

    @property
    def reading(self) -> bool:
        """Whether the request itself is still on its way."""
        return not self._complete

    @property
    def waiting(self) -> bool:
        """Whether the client has no byte of the reply yet."""
        return self._reply is None and not self.response_complete

    # check and ask

    def _run(self) -> None:
        if self.response_complete or self.disconnected:
            return
        if self._refusal is not None:
            self.fail(self._refusal)
            return
        try:
            self._begin()
        except UnderstudyError as error:
            self.fail(error)
        except Exception:
            log.exception("a request failed in the gateway")
            self.fail(UnderstudyError("the gateway failed; its log says why"))

    def _begin(self) -> None:
        gateway = self._gateway
        gateway.budget.earn()
        chat = self._path == CHAT
        self._raw = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        body = gateway.parser.parse(self._raw, chat)
        session = self._header(b"x-understudy-session")
        derived = not session
        if derived:
            session = conversation_hash(self._key, body.messages) if chat else self.request_id
        user = self._header(b"x-understudy-user") or body.user
        self._ask = Ask(body.model, session, self.request_id, user, derived, self._tenant, self._matchable())
        self._forward = Forward(gateway, self, self._ask, body, self._path, self._headers)
        self._forward.begin()

    def _header(self, name: bytes) -> str:
        value = self._given.get(name)
        return "" if value is None else value.decode("utf-8", "replace")

    def _matchable(self) -> dict[str, str] | None:
        """Headers by name, where an experiment looks at them."""
        if not any(experiment.when.header for experiment in self._gateway.snapshot.document.experiments):
            return None
        return {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in self._headers}

    # the reply

    def reply_begins(self, status: int, headers: Headers) -> None:
        """An engine has begun to answer; from here on the client has bytes of it."""
        kind = EngineRefusal if EngineRefusal.fits(status, headers) else ClientReply
        self._reply = kind(self._protocol.transport, self._our_lines(), status, headers, self.keep_alive, self.http10)
        self.keep_alive = self._reply.keep_alive

    def reply_body(self, data: bytes) -> None:
        """Pass bytes on."""
        reply = self._reply
        assert reply is not None
        if reply.ttft is None:
            reply.ttft = self._gateway.clock() - self._began
            self._gateway.metrics.first_byte(self._arm, reply.ttft)
        reply.body(data, self._gateway.config.capture_bytes)

    def reply_ends(self) -> None:
        """The engine has said all."""
        assert self._reply is not None
        if self._reply.cut_short():
            self.reply_breaks("the engine ended its stream before the end of the reply")
        else:
            self._reply.end()
            self._finish("complete")

    def reply_breaks(self, why: str) -> None:
        """The reply cannot be completed."""
        assert self._reply is not None
        self._gateway.metrics.events["truncated"] += 1
        self.keep_alive = False
        self._reply.broken(why)
        self._finish("error")

    def no_reply(self, error: UnderstudyError) -> None:
        """No engine will answer."""
        self.fail(error)

    def client_stalls(self) -> bool:
        """Whether the client has stopped to read; if so it is cut off."""
        if not self._protocol.write_paused:
            return False
        self._protocol.transport.abort()
        return True

    def fail(self, error: UnderstudyError) -> None:
        """Answer by an error object, or end a reply that has begun by one."""
        if self.response_complete:
            return
        if self._reply is not None:
            self.reply_breaks(error.message)
            return
        extra = self._our_lines()
        if error.status in (429, 503):
            extra.append(RETRY_AFTER)
        body = wire.error_bytes(error)
        data = wire.reply_bytes(error.status, body, extra, close=not self.keep_alive)
        self._protocol.transport.write(data)
        self._finish("error", error.status, body)

    def _our_lines(self) -> list[bytes]:
        """Header lines of ours."""
        echoed = wire.safe_header(self._header(b"x-request-id")) or self.request_id.encode()
        lines = [b"x-request-id: " + echoed + b"\r\n"]
        decision = None if self._forward is None else self._forward.decision
        if decision is not None:
            text = f"x-understudy-arm: {decision.arm}\r\nx-understudy-version: {decision.version}\r\n"
            if decision.experiment is not None:
                text += f"x-understudy-experiment: {decision.experiment}\r\n"
            lines.append(text.encode())
        return lines

    # the end

    def _finish(self, outcome: str, status: int = 0, body: bytes = b"") -> None:
        self.response_complete = True
        if self._forward is not None:
            self._forward.close()
        if self._counted:
            self._gateway.metrics.in_flight -= 1
        if outcome == "cancelled":
            self._gateway.metrics.events["cancelled"] += 1
        status = status or (CANCELLED if self._reply is None else self._reply.status)
        self._record(outcome, status, body)
        self._forget_body()
        self._protocol.finished(self)

    def _record(self, outcome: str, status: int, body: bytes) -> None:
        """Count the request, and hand a copy of it to the outbox if it may be kept."""
        gateway, forward, ask, reply = self._gateway, self._forward, self._ask, self._reply
        decision = None if forward is None else forward.decision
        if forward is None or decision is None or ask is None:
            gateway.metrics.requests["", "", status] += 1
            return
        gateway.metrics.requests[decision.arm, decision.version, status] += 1
        if self._given.get(b"x-understudy-no-capture") == b"1" or not gateway.wants(self.request_id):
            return
        seconds = gateway.clock() - self._began
        gateway.record(RawExchange(
            request_id=self.request_id, chat=self._path == CHAT, request=self._raw,
            chunks=(body,) if reply is None else tuple(reply.chunks),
            overflow=reply is not None and reply.overflow, status=status, outcome=outcome,
            streamed=reply is not None and reply.sse, arm=decision.arm, assigned=decision.assigned,
            version=decision.version, epoch=forward.epoch, experiment=decision.experiment,
            model=ask.model, tenant=ask.tenant, session=ask.session, unit=decision.unit,
            unit_derived=decision.unit_derived, user=ask.user, at=time.time() - seconds,
            ttft=None if reply is None else reply.ttft, seconds=seconds,
        ))  # fmt: skip
