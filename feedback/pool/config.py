"""Configuration of the hard-sample pool."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class PoolConfig(Section):
    """The hard-sample pool."""

    capacity: int = Field(default=20_000, gt=0)
    """Samples of the hard pool; beyond it the oldest of the fullest kind goes."""
    tenant_share: float = Field(default=0.5, gt=0, le=1)
    """Most of the pool that one tenant may fill."""
    kind_share: float = Field(default=0.5, gt=0, le=1)
    """Most of the pool that one kind may fill."""
    duplicate_similarity: float = Field(default=0.9, gt=0, le=1)
    """Jaccard similarity from which on a sample is a duplicate."""
    hard_weight: float = Field(default=3.0, gt=0)
    """Weight in the loss of a sample that failed a check."""
    anchors: int = Field(default=4000, gt=0)
    """Size of the reservoir of exchanges that passed, and of half of all by hash: for replay and judging."""
