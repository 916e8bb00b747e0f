"""Admits requests of tenants that have limits, and settles them: in Redis where there is one, else here."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace

from serving.gateway.config import TenantLimits
from serving.gateway.errors import RateLimited
from serving.gateway.tenants.cost import ReplyMeter
from serving.gateway.tenants.levels import Levels, Reached, full, header_lines, seconds_until, settled, taken
from serving.gateway.tenants.shared import LEASE, CountCall, CountReply, SharedCounts
from understudy.clock import Clock, monotonic

EVERYBODY = "*"
"""In the configuration: whoever is not named."""
WORDS: dict[Reached, str] = {
    "concurrent": "requests at once",
    "requests": "requests per min (RPM)",
    "tokens": "tokens per min (TPM)",
}


@dataclass(slots=True)
class Ticket:
    """One request of a tenant that has limits."""

    tenant: str
    limits: TenantLimits
    tokens: int
    """Estimated."""
    meter: ReplyMeter
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    admitted: bool = False
    shared: bool = False
    """Whether Redis counts it."""
    over: bool = False
    """Whether the request ended, which may be before it is known whether it is admitted."""
    left: Levels | None = None
    """What was left when it was admitted or refused."""

    def lines(self) -> list[bytes]:
        """Header lines that tell what is left."""
        return [] if self.left is None else header_lines(self.left, self.limits)


class Limiter:
    """Limits of all tenants; only the event loop touches it.

    What Redis says is left is noted here, too, so that little changes when it goes away.
    """

    def __init__(
        self, limits: dict[str, TenantLimits], shared: SharedCounts | None = None, clock: Clock = monotonic
    ) -> None:
        self._limits = limits
        self._shared = shared
        self._clock = clock
        self._levels: dict[str, Levels] = {}
        """By tenant; as many as there are tenants of keys."""
        self.refused: Counter[Reached] = Counter(dict.fromkeys(WORDS, 0))
        """Requests by the limit that was reached."""
        self._open: dict[str, Ticket] = {}
        """What Redis counts and is not over; as many as there are requests in flight."""

    def limits_of(self, tenant: str) -> TenantLimits | None:
        """The limits of a tenant; None where it has none."""
        return self._limits.get(tenant) or self._limits.get(EVERYBODY)

    @property
    def counts_together(self) -> bool:
        """Whether Redis counts for all gateways."""
        return self._shared is not None and self._shared.up

    def admit(self, ticket: Ticket) -> Awaitable[None] | None:
        """Count a request; None: it is admitted, else wait and see.

        Raises:
            RateLimited: a limit is reached.
        """
        limits = ticket.limits
        call = CountCall("take", ticket.tenant, limits, ticket.tokens, ticket.id)
        future = None if self._shared is None else self._shared.count(call)
        if future is None:
            self._here(ticket)
            return None
        future.add_done_callback(lambda done: self._there(ticket, done.result()))
        return self._answered(ticket, future)

    async def _answered(self, ticket: Ticket, future: asyncio.Future[CountReply | None]) -> None:
        counted = await asyncio.shield(future)
        if counted is None:
            self._here(ticket)
        elif counted[0]:
            self._refuse(counted[0], ticket)

    def _there(self, ticket: Ticket, counted: CountReply | None) -> None:
        """Redis has answered; the request may be over by now."""
        if counted is None:
            return
        reached, left = counted
        now = self._clock()
        mine = self._levels.get(ticket.tenant)
        running = (0 if mine is None else mine.running) + (not reached)
        self._levels[ticket.tenant] = replace(left, at=now, running=running)
        ticket.left = left
        if not reached:
            ticket.admitted = ticket.shared = True
            self._open[ticket.id] = ticket
            if ticket.over:
                self._settle(ticket, 0)

    def _here(self, ticket: Ticket) -> None:
        now = self._clock()
        before = self._levels.get(ticket.tenant) or full(ticket.limits, now)
        reached, left = taken(before, ticket.limits, ticket.tokens, now)
        self._levels[ticket.tenant] = ticket.left = left
        if reached:
            self._refuse(reached, ticket)
        ticket.admitted = True

    def _refuse(self, reached: Reached, ticket: Ticket) -> None:
        assert ticket.left is not None
        self.refused[reached] += 1
        limits = ticket.limits
        most = {
            "concurrent": limits.max_concurrent, "requests": limits.requests_per_minute,
            "tokens": limits.tokens_per_minute,
        }[reached]  # fmt: skip
        seconds = seconds_until(reached, ticket.left, limits, ticket.tokens)
        told = f"Rate limit reached for {ticket.tenant} on {WORDS[reached]}: limit {most}"
        raise RateLimited(reached, f"{told}. Please try again in {seconds}s.", seconds)

    def close(self, ticket: Ticket) -> None:
        """The request is over, however it ended."""
        ticket.over = True
        if ticket.admitted:
            self._settle(ticket, ticket.meter.used())

    def _settle(self, ticket: Ticket, used: int) -> None:
        limits = ticket.limits
        most = limits.tokens_per_minute
        back = 0 if most is None else min(ticket.tokens, most) - used
        now = self._clock()
        levels = self._levels.get(ticket.tenant) or full(limits, now)
        self._levels[ticket.tenant] = settled(levels, limits, back, now)
        if ticket.shared and self._shared is not None:
            self._open.pop(ticket.id, None)
            self._shared.count(CountCall("settle", ticket.tenant, limits, back, ticket.id))

    async def run(self) -> None:
        """Until cancelled: tell Redis which requests are still in flight, so that those of a killed gateway are not."""
        while True:
            await asyncio.sleep(LEASE / 3)
            for ticket in list(self._open.values()):
                if self._shared is not None and ticket.limits.max_concurrent is not None:
                    self._shared.count(CountCall("renew", ticket.tenant, ticket.limits, 0, ticket.id))

    async def stop(self) -> None:
        """Let go of Redis."""
        if self._shared is not None:
            await self._shared.close()
