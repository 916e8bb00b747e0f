"""The stages that a completion request goes through before an engine is asked, in order.

A stage is a function of the request's context: it reads what earlier stages found, adds what it finds, and refuses by
raising an error of `understudy.errors`, which the client gets as an OpenAI error object. To add one, write
`def quota(context: RequestContext) -> None` and put it at its place into the tuple of `STAGES`; no other stage changes.

- `head` stages see the head alone, before the body is sent, and return at once.
- `whole` stages see the body too. One that has to wait is an `async def`: the request waits, everybody else goes on.
  All of them together have `gateway.first_byte_seconds`; beyond it the request is refused.

The last stage is followed by the asking itself, which takes the decision of `route`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from serving.gateway.body.parser import conversation_hash, model_of
from serving.gateway.body.prompt import of_field, of_messages
from serving.gateway.completion.context import RequestContext
from serving.gateway.completion.deadlines import DEADLINE, deadline_of
from serving.gateway.completion.guarding import guard
from serving.gateway.errors import TooMany, check_encoding
from serving.gateway.keys import bearer_of
from serving.gateway.routing import Ask, check_model
from serving.gateway.tenants.cost import ReplyMeter, estimated
from serving.gateway.tenants.limiter import Ticket
from understudy.errors import BadRequest, TooLarge

HeadStage = Callable[[RequestContext], None]
RequestStage = Callable[[RequestContext], Awaitable[None] | None]


def size(context: RequestContext) -> None:
    """Refuse a body that says it is too long."""
    announced = context.announced
    if announced is not None and announced > context.gateway.config.max_body:
        raise too_large(context)


def too_large(context: RequestContext) -> TooLarge:
    """The refusal of a body above the limit."""
    return TooLarge(f"the body is above {context.gateway.config.max_body} bytes (gateway.max_body)")


def encoding(context: RequestContext) -> None:
    """Refuse a body that is encoded: what routing needs of it could not be read."""
    if b"content-encoding" in context.given:
        check_encoding(context.header(b"content-encoding"))


def key(context: RequestContext) -> None:
    """Find the tenant whose key it is."""
    context.key = bearer_of(context.header(b"authorization"))
    context.tenant = context.gateway.keys.tenant(context.key)


def deadline(context: RequestContext) -> None:
    """Note when the request must be over."""
    seconds = deadline_of(context.header(DEADLINE), context.gateway.config.deadline_seconds)
    if seconds is not None:
        context.deadline = context.began + seconds


def limits(context: RequestContext) -> None:
    """Count the request among those in flight, if there is room for it."""
    gateway = context.gateway
    if gateway.metrics.in_flight >= gateway.config.max_concurrent:
        raise TooMany(f"{gateway.config.max_concurrent} requests are in flight; try again shortly")
    gateway.metrics.in_flight += 1
    context.counted = True


def parse(context: RequestContext) -> None:
    """Read of the body, and of the head, what routing may know."""
    chat = context.chat
    try:
        context.body = body = context.gateway.parser.parse(context.raw, chat)
    except BadRequest:
        if (model := model_of(context.raw)) is not None:
            check_model(context.gateway.snapshot.document, model)
        raise
    session = context.header(b"x-understudy-session")
    derived = not session
    if derived:
        session = conversation_hash(context.key, body.messages) if chat else context.request_id
    user = context.header(b"x-understudy-user") or body.user
    context.ask = Ask(
        body.model, session, context.request_id, user, derived, context.tenant, _matchable(context)
    )  # fmt: skip


def prompt(context: RequestContext) -> None:
    """Refuse a prompt that is too long; a body of fewer bytes holds no more characters, and is not counted."""
    limits = context.gateway.limits_of_prompts(context.tenant)
    if limits is None or len(context.raw) <= limits.characters:
        return
    length = of_messages(context.body.messages) if context.chat else of_field(context.raw)
    limits.check(length, "messages" if context.chat else "prompt")


def allowance(context: RequestContext) -> Awaitable[None] | None:
    """Count the request against the limits of its tenant, where it has any."""
    limiter = context.gateway.limiter
    limits = limiter.limits_of(context.tenant)
    if limits is None:
        return None
    tokens = estimated(context.raw, context.gateway.config.reply_tokens)
    context.ticket = Ticket(context.tenant, limits, tokens, ReplyMeter(context.raw))
    return limiter.admit(context.ticket)


def _matchable(context: RequestContext) -> dict[str, str] | None:
    """Headers by name, where an experiment or a line of business looks at them."""
    document = context.gateway.snapshot.document
    if not any(one.when.header for one in document.experiments) and not any(when.header for _, when in document.lines):
        return None
    return {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in context.head.headers}


def route(context: RequestContext) -> None:
    """Decide which engine is asked, and neutralise its control tokens.

    Raises:
        BadRequest, TooLarge: they cannot be, see `Body.split`.
    """
    decision = context.gateway.decide(context.ask)
    context.body.split(decision.slot.control_tokens)
    context.decision = decision


@dataclass(frozen=True, slots=True)
class Stages:
    """What is done when the head is read and it is the request's turn, and when the body is there, too."""

    head: tuple[HeadStage, ...] = (size, encoding, key, deadline, limits)
    whole: tuple[RequestStage, ...] = (parse, prompt, allowance, guard, route)


STAGES = Stages()
