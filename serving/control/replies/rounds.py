"""Rounds of distillation."""

from __future__ import annotations

from typing import Any

from serving.control.replies.base import ControlReply


class StageRow(ControlReply):
    """A stage of a round that is over."""

    started: float
    seconds: float
    event: str
    summary: dict[str, Any]


class RoundRow(ControlReply):
    """A round with its stages."""

    id: int
    state: str
    parent: str
    teacher: str
    candidate: str | None
    why: str
    """Why it was begun."""
    started: float
    ended: str | None
    """Why it ended otherwise than live."""
    gate: str = ""
    """What the gate saw: exact replies, facts and agreement, before and after; empty before it."""
    stages: dict[str, StageRow]


class RoundsReply(ControlReply):
    """Rounds, newest first."""

    rounds: list[RoundRow]


class RoundRequestedReply(ControlReply):
    """A round that was asked for."""

    requested: bool
    why: str
    waits: str | None
    """Why it does not begin at once."""


class RoundAbortedReply(ControlReply):
    """A round that was ended; `stage` is where it was."""

    round: int
    stage: str
    state: str
    candidate: str | None
    why: str
