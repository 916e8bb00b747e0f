"""Rounds of distillation."""

from __future__ import annotations

from typing import Any

from serving.control.replies.base import Reply


class StageRow(Reply):
    """A stage of a round that is over."""

    started: float
    seconds: float
    event: str
    summary: dict[str, Any]


class RoundRow(Reply):
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
    stages: dict[str, StageRow]


class RoundsReply(Reply):
    """Rounds, newest first."""

    rounds: list[RoundRow]


class RoundRequestedReply(Reply):
    """A round that was asked for."""

    requested: bool
    why: str
    waits: str | None
    """Why it does not begin at once."""


class RoundAbortedReply(Reply):
    """A round that was ended; `stage` is where it was."""

    round: int
    stage: str
    state: str
    candidate: str | None
    why: str
