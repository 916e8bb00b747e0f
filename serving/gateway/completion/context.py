"""What is known of one completion request; each stage reads it and adds to it."""

from __future__ import annotations

import asyncio
import os
from typing import Literal

from deploy.routing.document import EXTERNAL
from serving.breaker.users import UserCall
from serving.gateway.body.parser import Body
from serving.gateway.http.endpoint import RequestHead
from serving.gateway.observing.sampling import TRACEPARENT
from serving.gateway.routing import Ask, Decision, GuardNote
from serving.gateway.service import Gateway
from serving.gateway.tenants.cost import ReplyMeter
from serving.gateway.tenants.limiter import Ticket

CHAT, COMPLETIONS = b"/v1/chat/completions", b"/v1/completions"


class RequestContext:
    """A request to /v1/chat/completions or /v1/completions."""

    __slots__ = (
        "announced", "ask", "began", "body", "call", "chat", "counted", "deadline", "decision", "degraded", "epoch",
        "flagged", "gateway", "given", "head", "judged", "key", "meter", "raw", "request_id", "tenant", "ticket",
        "trace", "transport",
    )  # fmt: skip

    body: Body
    """Set by the stage `parse`."""
    ask: Ask
    """What routing may know; set by the stage `parse`."""

    def __init__(self, gateway: Gateway, head: RequestHead, transport: asyncio.BaseTransport | None = None) -> None:
        self.gateway = gateway
        self.transport = transport
        """Of the client's connection."""
        self.head = head
        self.given = given = dict(head.headers)
        """The head's headers by name."""
        length = given.get(b"content-length")
        self.announced = int(length) if length is not None and length.isdigit() else None
        """Size of the body, where the head tells it."""
        self.chat = head.path == CHAT
        self.request_id = os.urandom(16).hex()
        self.began = gateway.clock()
        self.trace = None if gateway.sampler is None else gateway.sampler.sample(given.get(TRACEPARENT))
        """Its place in a trace; None: it is in none of ours."""
        self.raw = b""
        """The body, once it is whole."""
        self.key = self.tenant = ""
        self.counted = False
        """Whether it counts among the requests in flight."""
        self.deadline: float | None = None
        """When the request must be over, by the gateway's clock."""
        self.ticket: Ticket | None = None
        """Where its tenant has limits; set by the stage `allowance`."""
        self.meter: ReplyMeter | None = None
        """Watches the reply, where somebody counts its tokens; set when it begins."""
        self.decision: Decision | None = None
        """Where the request goes, or was sent last."""
        self.epoch = 0
        """Of the document that said so."""
        self.call: UserCall | None = None
        """What the breaker of its user is told by; set by the stage `guard`."""
        self.flagged = False
        """Whether the guard wants nothing learned from it."""
        self.judged: GuardNote | None = None
        """What the guard held against it, where it flagged or degraded this very request."""
        self.degraded: Literal["", "guard", "breaker", "deadline"] = ""
        """Why it was degraded."""

    @property
    def costs(self) -> bool:
        """Whether the tokens of its reply are those of a teacher that somebody else runs."""
        return self.decision is not None and self.decision.arm == "teacher" and self.decision.version == EXTERNAL

    def watch(self, status: int) -> None:
        """Have a reply that begins metered, for the limits of its tenant or for what it costs; no refusal."""
        if status >= 400:
            return
        if self.ticket is not None:
            self.meter = self.ticket.meter
        elif self.costs:
            self.meter = ReplyMeter(self.raw)

    def header(self, name: bytes) -> str:
        """The value of a header; empty without one."""
        value = self.given.get(name)
        return "" if value is None else value.decode("utf-8", "replace")
