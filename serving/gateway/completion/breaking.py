"""Users of whom the guard degraded too much: they get the degraded reply without a judgement, or the teacher alone."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from serving.breaker.machine import CallOutcome
from serving.gateway.completion.context import RequestContext
from serving.gateway.errors import Degraded
from serving.gateway.guarding.watch import GuardWatch
from serving.guard.verdict import GuardJudgement, GuardVerdict


def let_in(context: RequestContext, watch: GuardWatch) -> None:
    """Let a request be judged, unless a breaker of its user is open.

    Raises:
        Degraded: it is, and the user gets nothing but the pre-built reply.
    """
    users, ask = watch.users, context.ask
    context.call = users.begin(ask.tenant, asker(context, users.config.trust_forwarded))
    if context.call is not None:
        return
    if users.config.action == "degrade":
        context.degraded = "breaker"
        raise Degraded("breaker")
    context.ask = replace(ask, teacher_only=True)
    context.flagged = True


def judged(context: RequestContext, judgement: GuardJudgement) -> None:
    """Tell the user's breaker; what came again, or was not judged in time, says nothing new about a user."""
    if context.call is None:
        return
    if judgement.verdict is not GuardVerdict.DEGRADE:
        context.call.end(CallOutcome.GOOD)
    elif judgement.again or judgement.stage == "deadline":
        context.call.end(CallOutcome.UNKNOWN)
    else:
        context.call.end(CallOutcome.BAD)


def asker(context: RequestContext, forwarded: bool) -> str:
    """Who asks: the user that the request names, else the address from which it came."""
    if context.ask.user:
        return f"user:{context.ask.user}"
    if forwarded and (addresses := context.header(b"x-forwarded-for")):
        return f"address:{addresses.rpartition(',')[2].strip()}"
    return f"address:{address_of(context.transport)}"


def address_of(transport: asyncio.BaseTransport | None) -> str:
    """The host at the other end of a connection; empty where there is none, as behind a Unix socket."""
    peer = None if transport is None else transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""
