"""One completion request from its head to its last byte: check by stages, ask, pass on, copy aside.

It stands in for uvicorn's request cycle, as `http.endpoint.HotRequest`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping

from serving.gateway.body.joining import joined
from serving.gateway.completion.answer import answered, our_lines, passed
from serving.gateway.completion.context import CHAT, COMPLETIONS, RequestContext
from serving.gateway.completion.ending import kept, over
from serving.gateway.completion.forward import Forward
from serving.gateway.completion.life import AFTER, LifeEvent, LifeState
from serving.gateway.completion.refusal import EngineRefusal
from serving.gateway.completion.stages import STAGES, Stages, too_large
from serving.gateway.errors import DeadlineExceeded, StageTimeout
from serving.gateway.http.endpoint import ClientConnection, HotEndpoint, RequestHead
from serving.gateway.http.reply import ClientReply
from serving.gateway.http.wire import Headers
from serving.gateway.metrics import VersionFigures
from serving.gateway.service import SMALL, Gateway
from understudy.errors import UnderstudyError

log = logging.getLogger("understudy.gateway")

QUEUED, READING, ASKING = LifeState.QUEUED, LifeState.READING, LifeState.ASKING
REPLYING, OVER = LifeState.REPLYING, LifeState.OVER
TURN, WHOLE, REPLY, END = LifeEvent.TURN, LifeEvent.WHOLE, LifeEvent.REPLY, LifeEvent.END
CANCELLED = 499
"""Status under which a request is counted whose client went away before the reply began."""


class _NobodyWaits:
    """In place of the event by which uvicorn wakes its ASGI task; a completion has none."""

    def set(self) -> None:
        """Nobody waits."""


def endpoints(gateway: Gateway, stages: Stages = STAGES) -> Mapping[bytes, HotEndpoint]:
    """The endpoints for completions, by path."""

    def endpoint(connection: ClientConnection, head: RequestHead) -> Completion:
        return Completion(gateway, stages, connection, head)

    return {CHAT: endpoint, COMPLETIONS: endpoint}


class Completion:
    """A request to /v1/chat/completions or /v1/completions."""

    __slots__ = (
        "_before", "_body", "_connection", "_context", "_deadline", "_figures", "_forward", "_gateway", "_last",
        "_life", "_passed", "_refusal", "_reply", "_size", "_stages", "_waiting_for", "_whole", "disconnected",
        "http10", "keep_alive",
    )  # fmt: skip
    message_event = _NobodyWaits()

    def __init__(self, gateway: Gateway, stages: Stages, connection: ClientConnection, head: RequestHead) -> None:
        self.keep_alive = head.keep_alive
        self.http10 = head.http10
        self.disconnected = False
        self._gateway = gateway
        self._stages = stages
        self._whole = iter(stages.whole)
        """The stages that are left."""
        self._connection = connection
        self._context = RequestContext(gateway, head, connection.transport)
        self._life = QUEUED
        self._refusal: UnderstudyError | None = None
        self._body: bytes | bytearray = b""
        self._size = 0
        self._waiting_for: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._forward: Forward | None = None
        self._reply: ClientReply | None = None
        self._figures: VersionFigures | None = None
        """Of the version that replies; set by the first byte."""
        self._passed = 0.0
        """When bytes were passed on last."""
        self._before = self._last = b""
        """The last two pieces of the reply."""

    @property
    def response_complete(self) -> bool:
        """Whether it is over."""
        return self._life is OVER

    @property
    def reading(self) -> bool:
        """Whether the request itself is still on its way."""
        return self._life is READING or self._life is QUEUED

    @property
    def waiting(self) -> bool:
        """Whether the client has no byte of the reply yet."""
        return self._life is not REPLYING and self._life is not OVER

    # the client's side

    def feed(self, part: bytes) -> None:
        """Take a part of the body; beyond a limit the request is refused at once and read no further."""
        if self._refusal is not None or self._life is OVER:
            return
        gateway = self._gateway
        self._body = joined(self._body, part)
        self._size += len(part)
        gateway.buffered += len(part)
        try:
            if self._size > gateway.config.max_body:
                raise too_large(self._context)
            gateway.check_room(self._size)
        except UnderstudyError as error:
            self._refusal = error
            self._forget_body()
            if self._life is READING:
                self.break_off(error)

    def _forget_body(self) -> None:
        self._gateway.buffered -= self._size
        self._size, self._body = 0, b""

    def body_complete(self) -> None:
        """The last byte of the request is here."""
        self._life = AFTER[self._life, WHOLE]
        if self._life is ASKING:
            self._check()

    def take_turn(self) -> None:
        """It is this request's turn on its connection: see what its head tells, before its body is sent."""
        self._life = AFTER[self._life, TURN]
        context = self._context
        try:
            for stage in self._stages.head:
                stage(context)
        except UnderstudyError as error:
            self._refusal = self._refusal or error
        if context.deadline is not None:
            left = max(0.0, context.deadline - self._gateway.clock())
            self._deadline = asyncio.get_running_loop().call_later(left, self._too_late)
        if self._life is ASKING:
            asyncio.get_running_loop().call_soon(self._check)
        elif self._refusal is not None:
            if context.head.expects or self._long():
                self.break_off(self._refusal)
        elif context.head.expects:
            self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _long(self) -> bool:
        """Whether too much is to come for a refused body to be read to its end."""
        announced = self._context.announced
        return announced is None or announced > min(SMALL, self._gateway.config.max_body)

    def break_off(self, error: UnderstudyError) -> None:
        """Answer a request that is not read to its end, and close."""
        self.keep_alive = False
        self.fail(error)

    def client_gone(self) -> None:
        """The client closed its connection: the engine stops working for it."""
        if self._life is not OVER:
            told = self._reply is not None and self._reply.told
            self._gateway.metrics.events["cancelled"] += not told
            self._finish("complete" if told else "cancelled")

    def pause(self) -> None:
        """The client reads more slowly than the engine writes."""
        if self._forward is not None:
            self._forward.pause()

    def resume(self) -> None:
        """The client has caught up."""
        if self._forward is not None:
            self._forward.resume()

    # check and ask

    def _check(self) -> None:
        """The body is whole: go through the stages, unless a limit has refused it."""
        if self._life is OVER:
            return
        if self._refusal is not None:
            self.fail(self._refusal)
            return
        self._gateway.budget.earn()
        self._context.raw, self._body = bytes(self._body), b""
        self._advance(None)

    def _advance(self, deadline: float | None) -> None:
        """Go through the stages that are left, up to one that has to wait; then ask."""
        context = self._context
        try:
            for stage in self._whole:
                awaited = stage(context)
                if awaited is not None:
                    loop = asyncio.get_running_loop()
                    until = deadline or loop.time() + self._gateway.config.first_byte_seconds
                    self._waiting_for = loop.create_task(self._wait(awaited, until))
                    return
            decision = context.decision
            assert decision is not None
            if kept(context):
                self._gateway.exposed(decision, context.ask, self._gateway.snapshot.document.epoch)
            self._forward = Forward(context, self)
            self._forward.ask(decision)
        except Exception as error:  # whatever it is: the client is answered
            self._failed(error)

    async def _wait(self, awaited: Awaitable[None], deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await awaited
        except TimeoutError:
            self._failed(StageTimeout("the request was not checked in time; try again shortly"))
        except Exception as error:  # as above
            self._failed(error)
        else:
            self._waiting_for = None
            self._advance(deadline)

    def _too_late(self) -> None:
        """The deadline is over: the engine stops, and the client is told, wherever the request stands."""
        self._gateway.metrics.events["deadline"] += 1
        took = self._gateway.clock() - self._context.began
        error = DeadlineExceeded(f"the request's deadline was over after {took:.3g} s")
        if self._life is READING:
            self.break_off(error)
        else:
            self.fail(error)

    def _failed(self, error: Exception) -> None:
        self._waiting_for = None
        if isinstance(error, UnderstudyError):
            self.fail(error)
        else:
            log.error("a request failed in the gateway", exc_info=error)
            self.fail(UnderstudyError("the gateway failed; its log says why"))

    # the reply

    def reply_begins(self, status: int, headers: Headers, follows: bool) -> None:
        """An engine has begun to answer; from here on the client has bytes of it. `follows`: as of `ClientReply`."""
        kind = EngineRefusal if EngineRefusal.fits(status, headers) else ClientReply
        transport = self._connection.transport
        self._life = AFTER[self._life, REPLY]
        self._context.watch(status)
        self._reply = kind(
            transport, our_lines(self._context), status, passed(self._context, headers), self.keep_alive, self.http10,
            follows,
        )  # fmt: skip
        self.keep_alive = self._reply.keep_alive

    def reply_body(self, data: bytes) -> None:
        """Pass bytes on."""
        reply = self._reply
        assert reply is not None
        gateway, now = self._gateway, self._gateway.clock()
        if self._figures is None:
            decision = self._context.decision
            assert decision is not None
            figures = self._figures = gateway.metrics.of(decision.arm, decision.version, gateway.snapshot.document)
            reply.ttft = now - self._context.began
            figures.first_byte.observe(reply.ttft)
        elif reply.sse:
            self._figures.gap.observe(now - self._passed)
        self._passed, self._before, self._last = now, self._last, data
        reply.body(data, gateway.config.capture_bytes)
        if self._context.meter is not None:
            self._context.meter.feed(data)

    def reply_ends(self) -> None:
        """The engine has said all."""
        assert self._reply is not None
        if self._reply.cut_short():
            why = "the engine ended its stream before the end of the reply"
            self._note("cut_short", why)
            self.reply_breaks(why)
        else:
            self._reply.end()
            self._finish("complete")

    def reply_breaks(self, why: str) -> None:
        """The reply cannot be completed."""
        self._break("error", why, "upstream_broken")

    def _break(self, outcome: str, why: str, code: str) -> None:
        assert self._reply is not None
        self._gateway.metrics.events["truncated"] += outcome == "error"
        self.keep_alive = False
        self._reply.broken(why, code)
        self._finish(outcome)

    def no_reply(self, error: UnderstudyError) -> None:
        """No engine will answer."""
        self.fail(error)

    def client_stalls(self) -> bool:
        """Whether the client has stopped to read; if so it is cut off."""
        if not self._connection.write_paused:
            return False
        self._connection.transport.abort()
        return True

    def fail(self, error: UnderstudyError) -> None:
        """Answer by an error object, or end a reply that has begun by one."""
        if self._life is OVER:
            return
        outcome = "cancelled" if isinstance(error, DeadlineExceeded) else "error"
        if self._life is REPLYING:
            self._break(outcome, error.message, error.code)
            return
        if self._forward is None and error.status >= 500 and outcome == "error":
            self._note(error.code, error.message)
        data, body = answered(self._context, error, close=not self.keep_alive)
        self._connection.transport.write(data)
        self._finish(outcome, error.status, body)

    def _note(self, cause: str, why: str) -> None:
        decision = self._context.decision
        self._gateway.failures.note("" if decision is None else decision.arm, cause, why)

    # the end

    def _finish(self, outcome: str, status: int = 0, body: bytes = b"") -> None:
        self._life = AFTER[self._life, END]
        if self._waiting_for is not None:
            self._waiting_for.cancel()
        if self._deadline is not None:
            self._deadline.cancel()
        if self._forward is not None:
            self._forward.close()
            self._forward = None
        if self._context.counted:
            self._gateway.metrics.in_flight -= 1
        if self._context.ticket is not None:
            self._gateway.limiter.close(self._context.ticket)
        status = status or (CANCELLED if self._reply is None else self._reply.status)
        over(self._context, self._reply, outcome, status, body, self._before + self._last)
        self._forget_body()
        self._connection.finished(self)
