"""Settings of a round's data: how many samples, which of them are judged on, and how much of each is learned."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from understudy.config import Section


class DataConfig(Section):
    """What becomes of the pool: keys of section `trainer`. What they give is in the digests of rows and targets."""

    RENAMED: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"replay_ratio": "max_replay", "max_holdout": "holdout_general"}
    )

    max_hard: int = Field(default=400, ge=1)
    """Hard samples to train on; at least half are failures of the live student since the last round."""
    max_replay: int = Field(default=1500, ge=0)
    """Exchanges for replay, balanced over clusters of prompts; fewer where there is no time to score them."""
    replay_targets: Literal["parent", "teacher"] = "parent"
    """Whose distribution replay asks for where the parent gives the teacher's text token for token.

    The parent's own is computed in the trainer and costs the teacher's engine nothing.
    """
    holdout_share: float = Field(default=0.2, gt=0, lt=1)
    """Of exchanges, by hash of their id; judged on, never trained on."""
    general_holdout_share: float = Field(default=0.4, gt=0, lt=1)
    """The same, of the half of all exchanges that stands for all traffic."""
    reserved_clusters: float = Field(default=0.2, ge=0, lt=1)
    """Share of the clusters of prompts that are never trained on."""
    holdout_general: int = Field(default=400, ge=1)
    """Held-out general rows that are wanted, balanced over clusters."""
    holdout_hard: int = Field(default=100, ge=1)
    """Held-out hard rows that are wanted; at least half are failures of the live student since the last round."""
    development_share: float = Field(default=0.1, gt=0, lt=1)
    """Of exchanges that would be trained on, by hash of their id: rows on which `blends` are compared, in no round
    trained on; none where `blends` names no shares."""
    replay_balanced: bool = True
    """Whether replay is balanced over clusters of prompts; without it each exchange is as likely as any other."""
    max_length: int = Field(default=512, ge=8)
    """Tokens of prompt and reply; longer samples are left out."""
    max_reply: int = Field(default=128, ge=1)
    """Tokens of a reply that are learned from."""
    top_k: int = Field(default=20, ge=1, le=64)
    """Of the teacher's tokens at each position; the rest is one bucket."""
