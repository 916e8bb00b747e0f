"""When breakers open and close."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from understudy.config import Section


class BreakerRule(Section):
    """Of any breaker; times in seconds."""

    window_seconds: float = Field(default=30, gt=0)
    """What happened longer ago does not count; what happened within half of it does."""
    calls: int = Field(default=20, ge=1)
    """Fewer calls in the window open nothing."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Of the calls in the window, so many must be bad for it to open."""
    first_pause_seconds: float = Field(default=0.5, gt=0)
    """From its opening until probes are let through; doubled by each probe that is bad."""
    longest_pause_seconds: float = Field(default=5, gt=0)
    """What the pause grows to."""
    probes: int = Field(default=3, ge=1)
    """Let through at once after the pause; so many must go well for it to close."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.longest_pause_seconds < self.first_pause_seconds:
            raise ValueError("`longest_pause_seconds` must not be below `first_pause_seconds`")
        return self


class EngineBreakerConfig(BreakerRule):
    """`gateway.engine_breaker`: one breaker for each address of an engine.

    Bad are replies of 500 and above, connections broken off before the reply, no first byte in
    `gateway.first_byte_seconds`, and slow first bytes of streamed replies. An address at which nobody listens is left
    alone at once. Other refusals, clients that go away and connections that ended while idle do not count.
    """

    slow_seconds: float = Field(default=30, gt=0)
    """A streamed reply whose first byte comes later counts as bad."""


class UserBreakerConfig(BreakerRule):
    """`guard.breaker`: one breaker for each user of a tenant, by the share of requests that the guard degrades.

    It counts where the guard enforces. A text that was degraded before and comes again with its conversation, and a
    judgement that was not ready in time, do not count.
    """

    window_seconds: float = Field(default=300, gt=0)
    """What happened longer ago does not count; what happened within half of it does."""
    calls: int = Field(default=5, ge=1)
    """Fewer judged requests in the window open nothing."""
    first_pause_seconds: float = Field(default=60, gt=0)
    """From its opening until a few requests are judged again; doubled by each of them that is degraded."""
    longest_pause_seconds: float = Field(default=900, gt=0)
    """What the pause grows to."""
    probes: int = Field(default=2, ge=1)
    """Requests judged at once after the pause; so many must be allowed for it to close."""
    action: Literal["degrade", "teacher"] = "degrade"
    """What a user gets while it is open: the degraded reply, or the teacher alone, past the student."""
    users: int = Field(default=10_000, ge=1)
    """Users remembered; beyond it those with a closed breaker are forgotten first, the longest unseen before others."""
    tenant_calls: int | None = Field(default=None, ge=1)
    """Opens for a whole tenant, too, by so many judged requests or more; None: never, for one attacker must not
    degrade an application."""
    trust_forwarded: bool = False
    """Whether, for a request that names no user, the last address of `x-forwarded-for` is who asks. Only behind a
    proxy of yours that sets it; without this all such requests through a proxy are those of one user."""
