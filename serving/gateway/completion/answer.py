"""What a client gets of the gateway itself: error objects and degraded replies, under header lines of ours."""

from __future__ import annotations

import time
from functools import lru_cache

from serving.gateway.completion.context import RequestContext
from serving.gateway.degraded.language import language_of
from serving.gateway.degraded.reply import degraded_reply
from serving.gateway.degraded.shape import shape_of
from serving.gateway.errors import Degraded, EngineFailed, RateLimited
from serving.gateway.guarding.reading import texts_of
from serving.gateway.http import wire
from serving.gateway.http.wire import Headers
from understudy.errors import UnderstudyError

LANGUAGE_SEEN = 4_000
"""Characters by which the language of a degraded reply is chosen."""


def our_lines(context: RequestContext) -> list[bytes]:
    """Header lines of ours."""
    given = context.given.get(b"x-request-id")
    echoed = (wire.safe_header(given.decode("utf-8", "replace")) if given else b"") or context.request_id.encode()
    lines = [b"x-request-id: " + echoed + b"\r\n"]
    decision = context.decision
    if decision is not None:
        lines.append(_routed(decision.arm, decision.version))
        if decision.taken:
            told = ",".join(one.experiment for one in decision.taken)
            lines.append(b"x-understudy-experiment: " + told.encode() + b"\r\n")
    if context.ticket is not None:
        lines += context.ticket.lines()
    return lines


@lru_cache(64)
def _routed(arm: str, version: str) -> bytes:
    """Lines that say who answered."""
    return f"x-understudy-arm: {arm}\r\nx-understudy-version: {version}\r\n".encode()


def passed(context: RequestContext, headers: Headers) -> Headers:
    """Fields of an engine's reply that may go on: its own limits are not those that we tell of."""
    if context.ticket is None:
        return headers
    return [(name, value) for name, value in headers if not name.startswith(b"x-ratelimit-")]


def answered(context: RequestContext, error: UnderstudyError, *, close: bool) -> tuple[bytes, bytes]:
    """The whole response in place of an engine's, and its body."""
    extra = our_lines(context)
    if isinstance(error, Degraded):
        return _degraded(context, error, extra, close=close)
    if isinstance(error, EngineFailed):
        extra += error.lines
    elif isinstance(error, RateLimited):
        extra.append(b"retry-after: %d\r\n" % error.seconds)
    elif error.status in (429, 503):
        extra.append(wire.RETRY_AFTER)
    body = wire.error_bytes(error)
    return wire.reply_bytes(error.status, body, extra, close=close), body


def _degraded(context: RequestContext, error: Degraded, extra: list[bytes], *, close: bool) -> tuple[bytes, bytes]:
    context.gateway.metrics.degrade(context.tenant, error.cause)
    said = " ".join(one.text[:LANGUAGE_SEEN] for one in texts_of(context.raw, context.body.messages, context.chat)[:1])
    reply = degraded_reply(
        shape_of(context.raw, context.chat), error.cause, language_of(said), context.request_id, int(time.time()),
        _model(context),
    )  # fmt: skip
    return reply.http(extra, close=close), reply.body


def _model(context: RequestContext) -> str:
    """Name of the model that would have been asked; `auto` where none is ready."""
    gateway = context.gateway
    try:
        return gateway.decide(context.ask).slot.model
    except UnderstudyError:
        return "auto"
