"""Asks engines on behalf of one request, until one begins its reply.

Before that the request may move: to where the version lives now (409), or to the other arm (connect error,
broken off, 5xx, 429, a key that is refused, too slow), once and within the retry budget. After it, never.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Protocol

from deploy.engines.striking import is_secret
from deploy.routing.document import EXTERNAL
from serving.gateway.completion.context import RequestContext
from serving.gateway.completion.masking import MaskedKey
from serving.gateway.errors import BadGateway, EngineFailed, GatewayTimeout
from serving.gateway.http import wire
from serving.gateway.http.upstream import Connection
from serving.gateway.http.wire import Headers
from serving.gateway.observing.sampling import EngineCall, Trace
from serving.gateway.pool.call import Call
from serving.gateway.pool.endpoint import Endpoint
from serving.gateway.routing import Decision, NoArm, route
from understudy.errors import Unavailable, UnderstudyError

PATHS = {True: b"/chat/completions", False: b"/completions"}
"""Below an engine's base URL, by whether it is a chat."""
KEY_REFUSED = frozenset({401, 403})
REFUSED = KEY_REFUSED | {429}
"""Statuses below 500 by which an engine refuses us, not the client's request."""
log = logging.getLogger("understudy.gateway")


class Receiver(Protocol):
    """The request that is asked for."""

    @property
    def waiting(self) -> bool:
        """Whether its reply has not begun."""
        ...

    def reply_begins(self, status: int, headers: Headers, follows: bool) -> None: ...
    def reply_body(self, data: bytes) -> None: ...
    def reply_ends(self) -> None: ...
    def reply_breaks(self, why: str) -> None: ...
    def no_reply(self, error: UnderstudyError) -> None: ...
    def client_stalls(self) -> bool:
        """Whether the client has stopped to read."""
        ...


class Forward:
    """The sink of an engine connection; tells its receiver what comes of it."""

    def __init__(self, context: RequestContext, receiver: Receiver) -> None:
        self._context = context
        self._gateway = context.gateway
        self._receiver = receiver
        self._call: Call | None = None
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._reroutes = 0
        self._fell_back = self._reused = False
        self._masked: MaskedKey | None = None
        """Strikes the key of somebody else's engine out of its reply."""
        self._last = self._asked = 0.0
        """When the engine last sent, or the client last caught up; when it was asked."""
        self._streams = False
        """Whether the reply that has begun is a stream."""

    def ask(self, decision: Decision) -> None:
        """Send the request to the engine of `decision`."""
        gateway, context, slot = self._gateway, self._context, decision.slot
        body, key = context.body.with_model(slot.model, slot.control_tokens), gateway.key_for(decision)
        context.decision, context.epoch = decision, gateway.snapshot.document.epoch
        endpoint = gateway.upstreams.pick(slot.url)
        self._call = Call(endpoint)
        version = "" if decision.version == EXTERNAL else decision.version  # somebody else's engine has none of ours
        self._masked = MaskedKey(key.encode()) if is_secret(key) and not version else None
        target = endpoint.target(PATHS[context.chat], context.head.query)
        head = wire.engine_head(
            target, endpoint.host, key, version, context.request_id, len(body),
            context.head.headers if context.trace is None else self._traced(context.trace, decision, endpoint),
        )  # fmt: skip
        self._asked = gateway.clock()
        gateway.alarms.set(
            self, gateway.config.first_byte_seconds if context.body.streams else gateway.config.reply_seconds
        )
        connection = endpoint.idle()
        self._reused = connection is not None
        if connection is not None:
            self._connection = connection
            connection.start(self, head + body)
        else:
            self._start(self._connect(endpoint, decision, head + body))

    def _traced(self, trace: Trace, decision: Decision, endpoint: Endpoint) -> Headers:
        """The client's headers, with the span of this engine as the parent of what it does."""
        gateway, address = self._gateway, endpoint.address
        span = gateway.sampler.span() if gateway.sampler is not None else 0
        call = EngineCall(
            span, gateway.clock(), decision.arm, decision.version, decision.slot.model, address.host, address.port
        )
        return trace.asked(call, self._context.head.headers)

    def close(self) -> None:
        """Let go of everything; an engine that is still at work sees its connection close."""
        self._gateway.alarms.clear(self)
        self._drop()

    def pause(self) -> None:
        """The client reads more slowly than the engine writes."""
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """The client has caught up."""
        self._last = self._gateway.clock()
        if self._connection is not None:
            self._connection.resume()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._guarded(work))

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """A fault of our own ends the request, never leaves it hanging."""
        try:
            await work
        except Exception:
            log.exception("a request failed in the gateway")
            self._task = None
            self._give_up("internal", UnderstudyError("the gateway failed; its log says why"))

    async def _connect(self, endpoint: Endpoint, decision: Decision, data: bytes) -> None:
        try:
            connection = await endpoint.connect(self._gateway.config.connect_seconds)
        except OSError as error:
            if asyncio.current_task() is not self._task:  # given up in the moment in which it failed
                return
            self._task = None
            if self._call is not None:
                self._call.unreachable()
            self._lost(
                "unreachable", BadGateway(f"the engine of the {decision.arm} cannot be reached: {describe(error)}")
            )
            return
        if asyncio.current_task() is not self._task:  # given up in the moment in which it succeeded
            connection.close()
            return
        self._task = None
        self._connection = connection
        connection.start(self, data)

    def _drop(self) -> None:
        if self._call is not None:
            self._call.forget()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def _lost(self, cause: str, error: UnderstudyError, stale: bool = False) -> None:
        """No reply will come from this engine; `stale`: perhaps for no more than the age of a connection."""
        if self._call is not None and not stale:
            self._call.failed()
        self._drop()
        self._note(cause, error.message)
        if not self._fall_back():
            self._receiver.no_reply(error)

    def _give_up(self, cause: str, error: UnderstudyError) -> None:
        """No engine will be asked any more."""
        self._note(cause, error.message)
        self._receiver.no_reply(error)

    def _note(self, cause: str, why: str) -> None:
        decision = self._context.decision
        self._gateway.failures.note("" if decision is None else decision.arm, cause, why)
        if self._context.trace is not None:
            self._context.trace.failed(cause, self._gateway.clock())

    def _fall_back(self) -> bool:
        """Ask the other arm: once, only where the router chose the arm, and within the retry budget."""
        gateway, decision = self._gateway, self._context.decision
        if decision is None or not decision.auto or self._fell_back:
            return False
        try:
            other = route(gateway.snapshot.document, self._context.ask, avoid=decision.arm)
        except NoArm:
            return False
        if not gateway.budget.take():
            gateway.metrics.events["retry_budget_spent"] += 1
            return False
        self._fell_back = True
        gateway.metrics.events["fallback"] += 1
        self._drop()
        try:
            self.ask(other)
        except UnderstudyError as error:  # where the other engine has a control token that stands in a name
            self._give_up(error.code, error)
        return True

    def _wrong_version(self) -> None:
        """The engine does not serve the version that was meant: read the document again, route again."""
        self._drop()
        self._reroutes += 1
        if self._reroutes > self._gateway.config.reroute_tries:
            error = Unavailable("the engine is changing its version; try again", code="version_changing")
            self._give_up(error.code, error)
        else:
            self._start(self._reroute())

    async def _reroute(self) -> None:
        gateway = self._gateway
        gateway.metrics.events["reroute"] += 1
        if self._reroutes > 1:
            await asyncio.sleep(gateway.config.reroute_seconds / (gateway.config.reroute_tries + 1))
        try:
            await gateway.refresh()
        except OSError as error:
            log.warning("cannot read the routing document: %s", error)
        self._task = None
        try:
            self.ask(gateway.decide(self._context.ask))
        except UnderstudyError as error:
            self._give_up(error.code, error)

    # the engine's side

    def on_head(self, status: int, headers: Headers) -> None:
        """Re-route, fall back, or let the reply begin."""
        decision = self._context.decision
        assert decision is not None
        if self._masked is not None:
            headers = self._masked.headers(headers)
        streams = has_type(headers, b"text/event-stream")
        assert self._call is not None
        self._call.answered(status, streams)
        if status == 409 and decision.version != EXTERNAL:
            self._wrong_version()
            return
        if status >= 400 and self._refused(decision.arm, status, headers):
            return
        self._last = self._gateway.clock()
        self._streams = streams
        self._gateway.alarms.set(self, self._gateway.config.idle_seconds)
        self._receiver.reply_begins(status, headers, self._connection is not None and self._connection.follows)

    def _refused(self, arm: str, status: int, headers: Headers) -> bool:
        """Whether an engine's refusal is none of the client's doing, and is dealt with: its own words do not pass."""
        if status < 500 and status not in REFUSED:
            return False
        keyless = status in KEY_REFUSED
        hint = f": it refuses our key (engines.{arm}.api_key_env)" if keyless else ""
        self._note(f"engine_{status}", f"the engine of the {arm} answered {status}{hint}")
        if self._fall_back():
            return True
        if keyless:
            error: UnderstudyError = BadGateway(f"the engine of the {arm} refuses the gateway's key; tell its operator")
        elif status >= 500 and not has_type(headers, b"application/json"):
            later = [name + b": " + value + b"\r\n" for name, value in headers if name == b"retry-after"]
            error = EngineFailed(status, later)
        else:
            return False
        self._drop()
        self._receiver.no_reply(error)
        return True

    def on_body(self, data: bytes) -> None:
        """Bytes of the reply."""
        if self._call is not None:
            self._call.first_byte()
        self._last = self._gateway.clock()
        if passed := data if self._masked is None else self._masked.feed(data):
            self._receiver.reply_body(passed)

    def on_end(self) -> None:
        """The reply is complete."""
        self._connection = None
        if self._masked is not None and (rest := self._masked.rest()):
            self._receiver.reply_body(rest)
        self._receiver.reply_ends()

    def on_error(self, error: Exception) -> None:
        """The engine broke off."""
        self._connection = None
        if self._receiver.waiting:
            broke = BadGateway(f"the engine broke off before its reply: {describe(error)}")
            self._lost("broke_off", broke, stale=self._reused)
        else:
            if self._call is not None:
                self._call.failed()
            why = f"the engine broke off within its reply: {describe(error)}"
            self._note("broke_off_within_reply", why)
            self._receiver.reply_breaks(why)

    # time

    def alarm(self) -> None:
        """First byte late, or a long silence; a client that does not read is none of the engine's fault."""
        if self._receiver.waiting:
            self._unanswered()
            return
        config, now = self._gateway.config, self._gateway.clock()
        silence = config.idle_seconds - (now - self._last)
        left = silence if silence > 0 or self._streams else min(config.idle_seconds, self._whole_by - now)
        if silence <= 0 and self._receiver.client_stalls():
            return
        if left > 0:
            self._gateway.alarms.set(self, left)
            return
        if self._call is not None:
            self._call.failed()
        self._drop()
        why = f"the engine was silent for {now - self._last:.3g} s"
        self._note("silent_within_reply", why)
        self._receiver.reply_breaks(why)

    @property
    def _whole_by(self) -> float:
        """When a reply that does not stream must be complete."""
        return self._asked + self._gateway.config.reply_seconds

    def _unanswered(self) -> None:
        """Nothing has come in time: a failure where a stream was to begin, else only much to do."""
        config = self._gateway.config
        if self._context.body.streams:
            self._lost("no_first_byte", GatewayTimeout(f"no engine answered within {config.first_byte_seconds:g} s"))
            return
        self._drop()
        late = f"the reply was not complete within {config.reply_seconds:g} s (gateway.reply_seconds)"
        self._give_up("late_reply", GatewayTimeout(late))


def has_type(headers: Headers, kind: bytes) -> bool:
    """Whether a reply says that its body is of `kind`."""
    given = next((value for name, value in headers if name == b"content-type"), b"")
    return given.lower().startswith(kind)


def describe(error: BaseException) -> str:
    """An error's text, or its kind where it has none."""
    return str(error) or type(error).__name__
