"""What is done when a request is over: it is counted, told, and a copy of it handed to the outbox if it may be kept."""

from __future__ import annotations

import re
import time

from msgspec.structs import replace

from serving.breaker.machine import CallOutcome
from serving.gateway.completion.capture import record, wants
from serving.gateway.completion.context import CHAT, COMPLETIONS, RequestContext
from serving.gateway.http.reply import ClientReply
from serving.gateway.metrics import VersionFigures
from serving.gateway.observing.ledger import Finished
from serving.gateway.record.raw import NOTHING_JUDGED, RawDegraded, RawExchange
from serving.gateway.routing import Decision, guard_switched
from understudy.errors import UnderstudyError

TAIL = 4096
"""Bytes at the end of a reply that are looked through for the tokens it took, and for an error."""
_ERROR = re.compile(rb'"error"\s*:\s*[{"]')
"""In a text of a reply the quotes are escaped, so only an engine's own words match."""


def kept(context: RequestContext) -> bool:
    """Whether the client lets any record of this request be kept."""
    return context.given.get(b"x-understudy-no-capture") != b"1"


def over(
    context: RequestContext, reply: ClientReply | None, outcome: str, status: int, body: bytes, tail: bytes
) -> None:
    """Count the request, and hand a copy of it on if it may be kept.

    `body` is that of an answer of ours, `tail` the last pieces of an engine's `reply`.
    """
    gateway, decision = context.gateway, context.decision
    if context.call is not None:
        context.call.end(CallOutcome.UNKNOWN)  # where nobody judged it, as when its client went away before
    ended = gateway.clock()
    seconds = ended - context.began
    if decision is None:
        gateway.metrics.unrouted[status] += 1
        _keep_degraded(context, seconds)
        _tell(context, reply, outcome, status, ended, None)
        return
    if outcome == "complete" and status == 200 and tells_error(tail):
        gateway.failures.note(decision.arm, "engine_200", f"the engine of the {decision.arm} answered 200 and an error")
    figures = gateway.metrics.of(decision.arm, decision.version, gateway.snapshot.document)
    if context.judged is not None:
        gateway.metrics.flag(context.tenant, decision.arm, decision.version)
    _tell(context, reply, outcome, status, ended, count(figures, outcome, status, seconds, tail))
    if context.costs and context.meter is not None:
        gateway.spent(context.meter.used())  # also of what nobody may record: a number, without whose request it was
    if not kept(context):
        return
    gateway.exposed(decision, context.ask, context.epoch)  # again, if it was answered elsewhere than first meant
    if not wants(gateway, context.request_id):
        return
    record(gateway, RawExchange(
        request_id=context.request_id, chat=context.chat, request=context.raw, ask=context.ask,
        decision=decision, epoch=context.epoch, status=status, outcome=outcome,
        chunks=(body,) if reply is None else tuple(reply.chunks),
        overflow=reply is not None and reply.overflow, streamed=reply is not None and reply.sse,
        at=time.time() - seconds, ttft=None if reply is None else reply.ttft, seconds=seconds,
        flagged=context.flagged, judged=context.judged or NOTHING_JUDGED,
    ))  # fmt: skip


def tells_error(tail: bytes) -> bool:
    """Whether the end of a reply holds an error object; the client has it by then, as the engine sent it."""
    end = tail[-TAIL:]
    return b'"error"' in end and _ERROR.search(end) is not None


def _keep_degraded(context: RequestContext, seconds: float) -> None:
    """Of a degraded request tell the experiment that compares the guard with none, and keep it for an appeal: if it may
    be kept, and not too many of them."""
    gateway = context.gateway
    if not context.degraded or gateway.guard is None or not kept(context):
        return
    counted = _counted(context)
    if counted is not None:
        gateway.exposed(counted, context.ask, gateway.snapshot.document.epoch)
    if gateway.outbox is None or not wants(gateway, context.request_id):
        return
    judged = context.judged
    if judged is not None and not gateway.guard.keeps():
        gateway.metrics.events["degraded_not_kept"] += 1
        judged = None
    if judged is not None or counted is not None:
        record(gateway, RawDegraded(
            context.request_id, context.chat, context.raw, context.ask, time.time(), context.degraded, judged, counted,
            seconds,
        ))  # fmt: skip


def _counted(context: RequestContext) -> Decision | None:
    """Where a degraded request would have gone, for the experiment alone whose switches include the guard.

    Its unit has come, whichever way the guard is switched: left out, it would be missing from one side. None where no
    such experiment counts it, or it would have been refused on either side.
    """
    gateway = context.gateway
    try:
        if guard_switched(gateway.snapshot.document, context.ask) is None:
            return None
        decision = gateway.decide(context.ask)
        context.body.split(decision.slot.control_tokens)
    except UnderstudyError:
        return None
    taken = tuple(one for one in decision.taken if one.guarded is not None and one.counted)
    return replace(decision, taken=taken, fell_back=False) if taken else None


def _tell(
    context: RequestContext, reply: ClientReply | None, outcome: str, status: int, ended: float,
    used: tuple[int, int] | None,
) -> None:  # fmt: skip
    """Hand what became of the request to the access log and the traces, if there are any."""
    ledger, decision = context.gateway.ledger, context.decision
    if ledger is None:
        return
    prompt, completion = used or (None, None)
    path = (CHAT if context.chat else COMPLETIONS).decode()
    seconds, size = ended - context.began, len(context.raw)
    if decision is None:
        ledger.put(Finished(
            time.time(), ended, seconds, context.request_id, path, status, outcome, context.tenant, bytes_in=size,
            trace=context.trace,
        ))  # fmt: skip
        return
    ledger.put(Finished(
        time.time(), ended, seconds, context.request_id, path, status, outcome, context.tenant, decision.arm,
        decision.version, context.ask.model, decision.slot.model, decision.fell_back, reply is not None and reply.sse,
        None if reply is None else reply.ttft, prompt, completion, size, context.trace,
    ))  # fmt: skip


def count(figures: VersionFigures, outcome: str, status: int, seconds: float, tail: bytes) -> tuple[int, int] | None:
    """Add a request that an engine was chosen for; the tokens of prompt and completion, where the reply tells them."""
    figures.requests[status] += 1
    figures.seconds.observe(seconds)
    return figures.used(tail[-TAIL:]) if outcome == "complete" and status == 200 else None
