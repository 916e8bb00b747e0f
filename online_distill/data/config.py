"""Settings of a round's data: how many samples, which of them are judged on, and how much of each is learned."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class DataConfig(Section):
    """What becomes of the pool: keys of section `trainer`. What they give is in the digests of rows and targets."""

    max_hard: int = Field(default=400, ge=1)
    replay_ratio: float = Field(default=1.0, ge=0)
    """Anchors (replies that passed) for each hard sample."""
    holdout_share: float = Field(default=0.15, gt=0, lt=1)
    """Of exchanges, by hash of their id; judged on, never trained on."""
    max_holdout: int = Field(default=120, ge=1)
    """Of hard samples and of anchors each."""
    max_length: int = Field(default=512, ge=8)
    """Tokens of prompt and reply; longer samples are left out."""
    max_reply: int = Field(default=128, ge=1)
    """Tokens of a reply that are learned from."""
    top_k: int = Field(default=20, ge=1, le=64)
    """Of the teacher's tokens at each position; the rest is one bucket."""
