"""What a routing document says of the guard: thresholds, modes and exceptions that were set while gateways run.

Pure models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MOST_RULES = 200
"""Exceptions that hold at once; every request that the guard judges is held to each of them."""


def _unquoted(value: Any) -> Any:
    """YAML reads an unquoted `off` as False."""
    return "off" if value is False else value


GuardMode = Annotated[Literal["off", "observe", "enforce"], BeforeValidator(_unquoted)]
"""`off`: nothing is judged; `observe`: judged and counted, nothing changes; `enforce`: verdicts hold."""


class AllowRule(BaseModel):
    """Requests that are judged and counted, and let through whatever the verdict: those to which all of it applies."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    id: str
    until: float
    """Seconds since the epoch; from then on the rule is over."""
    tenant: str | None = None
    system: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """`system_hash` of what the system messages say."""
    user: str | None = Field(default=None, pattern="^[0-9a-f]{20}$")
    """As `status` names users whose breaker is open."""
    why: str = ""

    @model_validator(mode="after")
    def _of_somebody(self) -> Self:
        if self.tenant is None and self.system is None and self.user is None:
            raise ValueError("name a tenant, a system message or a user: a rule for everybody is `mode`")
        return self

    def holds(self, tenant: str, system: str, user: str, now: float) -> bool:
        """Whether a request of these is let through at `now`."""
        return (
            now < self.until
            and self.tenant in (None, tenant)
            and self.system in (None, system)
            and self.user in (None, user)
        )


def system_hash(texts: Iterable[str]) -> str:
    """SHA-256 in hex of a request's system messages, a line break between them, blanks at both ends aside."""
    return hashlib.sha256("\n".join(texts).strip().encode("utf-8", "surrogatepass")).hexdigest()


class GuardRules(BaseModel):
    """Over the gateways' own settings, where they are given."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    mode: GuardMode | None = None
    tenants: dict[str, GuardMode] = Field(default_factory=dict)
    """By tenant, before `mode`."""
    flag: float | None = None
    """Log-odds from which on a text is flagged."""
    degrade: float | None = None
    """Log-odds from which on it is degraded."""
    allow: tuple[AllowRule, ...] = Field(default=(), max_length=MOST_RULES)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.flag is not None and self.degrade is not None and self.degrade < self.flag:
            raise ValueError("`degrade` must not be below `flag`")
        return self
