"""Configuration of what is kept of flagged and degraded requests."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class FlaggedConfig(Section):
    """What is kept of requests that the guard flagged or degraded, for `understudy guard flagged`: redacted, sealed, in
    Redis."""

    days: float = Field(default=30, gt=0, le=3650)
    """How long."""
    bytes: int = Field(default=32 << 20, gt=0)
    """How much in all; beyond it the oldest of the tenant that holds most goes."""
    tenant_bytes: int = Field(default=8 << 20, gt=0)
    """How much of one tenant; beyond it its oldest goes."""
    degraded_per_minute: int = Field(default=60, ge=0)
    """Degraded requests that each gateway keeps at most, so that a flood of them costs little; flagged ones, which are
    served, are all kept. What a client's `x-understudy-no-capture` asks for is kept of none."""
