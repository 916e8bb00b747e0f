"""Configuration of the KPIs."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class KpisConfig(Section):
    """Names accepted by /v1/feedback beside the built-in ones, and how long late arrivals are joined."""

    declared: tuple[str, ...] = ()
    late_days: float = Field(default=30, gt=0)
    """How long a response, a session, or feedback that came before its response is remembered."""
    targets: int = Field(default=100_000, gt=0)
    """Responses and sessions remembered at most, and as much early feedback; the oldest go first."""
