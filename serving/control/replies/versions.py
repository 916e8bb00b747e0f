"""Versions, their lives, and what moves traffic between them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from deploy.life.state import Freeze, GateRecord
from serving.control.replies.base import ControlReply


class VersionRow(ControlReply):
    """One version of the registry."""

    version: str
    state: str
    kind: Literal["student", "teacher"]
    created: float
    parent: str | None
    teacher: str | None
    round: int | None
    decided_by: str
    bad: str | None
    caveats: list[str] = Field(default_factory=list)
    """What is not known of it, or was said against it: a judgement on few rows, a refusal by the gate."""
    gate: GateRecord | None = None
    """What the gate said, and on how many held-out rows; None: no gate judged it."""
    bytes: int
    metrics: dict[str, Any]


class VersionPage(VersionRow):
    """One version with its life so far."""

    steps: list[dict[str, Any]]
    """The canary's steps that it went through."""
    history: list[dict[str, Any]]


class VersionsReply(ControlReply):
    """Versions, newest first."""

    versions: list[VersionRow]


class RolloutRow(ControlReply):
    """A version's life so far."""

    version: str
    state: str
    decided_by: str
    steps: list[dict[str, Any]]
    history: list[dict[str, Any]]


class RolloutsReply(ControlReply):
    """Each version's life, the one under way first."""

    rollouts: list[RolloutRow]


class TakenBack(ControlReply):
    """A candidate that a rollback or promotion took back."""

    version: str
    round: int | None


class MoveReply(ControlReply):
    """A rollback or promotion that is done."""

    source: str | None = Field(alias="from")
    to: str
    epoch: int
    seconds: float
    follow_seconds: float
    """From the new epoch until the last live gateway had it."""
    behind: list[str] = Field(default_factory=list)
    """Gateways that did not follow in time."""
    caveats: list[str] = Field(default_factory=list)
    """What is not known of the version that is live now, or was said against it."""
    warning: str = ""
    taken_back: TakenBack | None = None


class FrozenReply(ControlReply):
    """What is frozen now."""

    frozen: list[Freeze]
    warning: str = ""
