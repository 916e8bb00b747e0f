"""The guard's stage: judges the texts of a request before it is routed, and does what the tenant's mode says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator, Sequence
from math import isfinite

from deploy.routing.document import RoutingDocument
from deploy.routing.guarding import system_hash
from serving.breaker.users import user_name
from serving.gateway.completion.breaking import asker, judged, let_in
from serving.gateway.completion.context import RequestContext
from serving.gateway.errors import Degraded
from serving.gateway.guarding.reading import texts_of
from serving.gateway.guarding.watch import GuardWatch, HeldMode
from serving.gateway.routing import GuardNote, check_model, guard_switched
from serving.guard.cascade import SYSTEM, GuardedText, settled
from serving.guard.verdict import GuardJudgement, GuardVerdict, worst


def guard(context: RequestContext) -> Awaitable[None] | None:
    """Judge a request; one whose verdict is to degrade goes no further.

    Raises:
        Degraded: it is answered by the pre-built reply.
        ModelNotFound: it asks for a model that there is not.
    """
    watch = context.gateway.guard
    if watch is None:
        return None
    document = context.gateway.snapshot.document
    watch.follow(document.guard)
    mode: HeldMode = watch.mode(context.tenant)
    if mode == "off":
        return None
    check_model(document, context.body.model)
    texts = texts_of(context.raw, context.body.messages, context.chat)
    if mode == "enforce" and watch.excepts and _allowed(context, watch, texts):
        mode = "allowed"
    if mode == "enforce" and _switched_off(context, document):
        mode = "switched_off"
    if mode == "enforce":
        let_in(context, watch)
    work = watch.guard.work(texts, watch.seconds, watch.worked)
    if not watch.inline(texts):
        return _in_turns(context, watch, mode, texts, work)
    _settle(context, watch, mode, settled(work))
    return None


def _allowed(context: RequestContext, watch: GuardWatch, texts: Sequence[GuardedText]) -> bool:
    """Whether an operator's exception lets the request through."""
    system = system_hash(one.text for one in reversed(texts) if one.trust == SYSTEM)
    user = asker(context, watch.users.config.trust_forwarded)
    return watch.allowed(context.tenant, system, user_name(context.tenant, user))


def _switched_off(context: RequestContext, document: RoutingDocument) -> bool:
    """Whether an experiment has switched the guard off for this unit."""
    given = guard_switched(document, context.ask)
    return given is not None and not given[1].guarded


async def _in_turns(
    context: RequestContext, watch: GuardWatch, mode: HeldMode, texts: Sequence[GuardedText],
    work: Generator[float, None, GuardJudgement],
) -> None:  # fmt: skip
    """The same, in slices between which others run; then whoever else is asked, for as long as the work left."""
    spent = 0.0
    while True:
        try:
            spent = next(work)
        except StopIteration as end:
            judgement: GuardJudgement = end.value
            break
        await asyncio.sleep(0)
    if watch.classifier is not None and judgement.verdict is not GuardVerdict.DEGRADE:
        judgement = worst(judgement, await watch.classifier.judge(texts, watch.seconds - spent))
    _settle(context, watch, mode, judgement)


def _settle(context: RequestContext, watch: GuardWatch, mode: HeldMode, judgement: GuardJudgement) -> None:
    watch.settle(judgement, mode)
    if mode not in ("enforce", "switched_off"):
        return
    judged(context, judgement)
    ask, late = context.ask, judgement.stage == "deadline"
    if judgement.verdict is not GuardVerdict.ALLOW:
        context.judged = _note(context, watch, judgement)
        context.flagged = True
        if not late:
            watch.quarantine(ask.tenant, ask.session)
    if mode == "enforce" and (late or judgement.verdict is GuardVerdict.DEGRADE):
        context.degraded = "deadline" if late else "guard"
        raise Degraded(context.degraded)
    context.flagged = context.flagged or watch.quarantined(ask.tenant, ask.session)


def _note(context: RequestContext, watch: GuardWatch, judgement: GuardJudgement) -> GuardNote:
    """What an event keeps of a judgement."""
    user = user_name(context.tenant, asker(context, watch.users.config.trust_forwarded))
    return GuardNote(judgement.stage or "model", judgement.score if isfinite(judgement.score) else None, user)
