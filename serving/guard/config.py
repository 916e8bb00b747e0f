"""Configuration of the guard: what it may do, to whose traffic, and when."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from deploy.engines.external import ExternalApi
from deploy.routing.guarding import GuardMode
from serving.breaker.config import UserBreakerConfig
from understudy.config import Section


class GuardEndpoint(ExternalApi):
    """A classifier of somebody else's, asked by `POST URL/moderations` as OpenAI's moderation API is."""

    model: str = ""
    """Its name there; empty: the API's own choice."""
    on_failure: Literal["serve", "degrade"] = "serve"
    """What becomes of a request whose texts it did not judge by the guard's deadline, or answered by rubbish."""
    verdict: Literal["flag", "degrade"] = "degrade"
    """What becomes of a request that it flags."""


class GuardConfig(Section):
    """Section `guard`. Modes: `off`, `observe` (judge and count, change nothing), `enforce`.

    A text's score is its log-odds of being an attack. Flagged requests are served and kept from everything that
    learns; degraded ones are answered by a ready-made reply, and no model sees them.
    """

    mode: GuardMode = "observe"
    """For all tenants that are not named; `understudy up` begins with `enforce`."""
    tenants: dict[str, GuardMode] = Field(default_factory=dict)
    """Mode by tenant."""
    flag: float | None = None
    """Score from which on a request is flagged; null: the model's own threshold."""
    degrade: float | None = None
    """Score from which on it is degraded; null: the model's own threshold."""
    deadline_ms: float = Field(default=50, gt=0, le=10_000)
    """Milliseconds of work on a parsed body; a request that is not judged by then is degraded (`deadline`). What
    others keep the processor or the event loop busy with does not count. `endpoint` has what is left of them."""
    remembered: int = Field(default=20_000, ge=0)
    """Texts whose verdicts are remembered, by keyed hash, so that a conversation's history is judged once."""
    endpoint: GuardEndpoint | None = None
    """A moderation API that is asked about what the guard's own stages let pass; null: none."""

    breaker: UserBreakerConfig = UserBreakerConfig()
    """When a user of whom too much was degraded is cut off."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.flag is not None and self.degrade is not None and self.degrade < self.flag:
            raise ValueError("`degrade` must not be below `flag`")
        return self
