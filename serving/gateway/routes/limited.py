"""A request for embeddings within its tenant's limits and its deadline, as a completion is held to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from serving.gateway.body.prompt import of_field
from serving.gateway.completion.deadlines import DEADLINE, deadline_of
from serving.gateway.errors import DeadlineExceeded
from serving.gateway.routes.bodies import read_body
from serving.gateway.routes.embeddings import Embeddings
from serving.gateway.service import Gateway
from serving.gateway.tenants.cost import ReplyMeter, estimated
from serving.gateway.tenants.limiter import Limiter, Ticket


async def limited(request: Request, gateway: Gateway, tenant: str, embedder: Embeddings) -> Response:
    """The engine's answer.

    Raises:
        BadRequest: a wrong deadline, or what `Embeddings.forward` refuses.
        DeadlineExceeded, RateLimited, TooLarge: what the names say.
    """
    config = gateway.config
    seconds = deadline_of(request.headers.get(DEADLINE.decode(), ""), config.deadline_seconds)
    until = None if seconds is None else asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(until):
            raw = await read_body(request, gateway, config.max_body, "the body")
            prompts = gateway.limits_of_prompts(tenant)
            if prompts is not None and len(raw) > prompts.characters:
                prompts.check(of_field(raw), "input")
            return await _admitted(gateway.limiter, tenant, raw, embedder, until)
    except TimeoutError:
        gateway.metrics.events["deadline"] += 1
        raise DeadlineExceeded(f"the request's deadline was over after {seconds:g} s") from None


async def _admitted(limiter: Limiter, tenant: str, raw: bytes, embedder: Embeddings, until: float | None) -> Response:
    limits = limiter.limits_of(tenant)
    if limits is None:
        answer = await embedder.forward(raw)
        return answer if until is None else _Metered(answer, None, limiter, until)
    ticket = Ticket(tenant, limits, estimated(raw, None), ReplyMeter(raw))
    try:
        waiting = limiter.admit(ticket)
        if waiting is not None:
            await waiting
        return _Metered(await embedder.forward(raw), ticket, limiter, until)
    except BaseException:
        limiter.close(ticket)
        raise


class _Metered(StreamingResponse):
    """An answer on its way; its request counts as in flight until it is through, however it ends."""

    def __init__(self, answer: StreamingResponse, ticket: Ticket | None, limiter: Limiter, until: float | None) -> None:
        super().__init__(self._watched(answer.body_iterator), answer.status_code)
        self.raw_headers = list(answer.raw_headers)
        for line in () if ticket is None else ticket.lines():
            for field in line.decode().splitlines():
                name, _, value = field.partition(": ")
                self.headers[name] = value
        self._ticket, self._limiter, self._until = ticket, limiter, until

    async def _watched(self, parts: AsyncIterable[Any]) -> AsyncIterator[bytes]:
        async for part in parts:
            if self._ticket is not None and self.status_code < 400:
                self._ticket.meter.feed(part)
            yield part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._until):
                    await super().__call__(scope, receive, send)
        finally:
            if self._ticket is not None:
                self._limiter.close(self._ticket)
