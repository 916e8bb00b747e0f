"""Configuration of the hard-sample pool."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class PoolConfig(Section):
    """The hard-sample pool."""

    capacity: int = Field(default=20_000, gt=0)
    tenant_share: float = Field(default=0.5, gt=0, le=1)
    kind_share: float = Field(default=0.5, gt=0, le=1)
    duplicate_similarity: float = Field(default=0.9, gt=0, le=1)
    hard_weight: float = Field(default=3.0, gt=0)
    anchors: int = Field(default=4000, gt=0)
    """Size of the reservoir of exchanges that passed, and of half of all by hash: for replay and judging."""
