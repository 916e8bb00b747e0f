"""Rounds of distillation."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.engines.knowledge import KnowledgeLevel
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
    """Why it ended, such as that its candidate went live; None while it goes on."""
    ended_at: float | None = None
    gate: str = ""
    """What the gate saw: exact replies, facts and agreement, before and after; empty before it."""
    learned_by: KnowledgeLevel | None = None
    """What of the teacher was learned from; None before it was scored."""
    not_more: str = ""
    """Why it was no more."""
    stages: dict[str, StageRow]


class IntervalRow(ControlReply):
    """A figure with the ends of its 95 % interval."""

    value: float
    lower: float
    upper: float


class ChangeRow(ControlReply):
    """A figure of the parent and of the candidate; in how many replies it was lost and won."""

    before: IntervalRow
    after: IntervalRow
    difference: IntervalRow
    lost: int
    won: int


class TokenRow(ControlReply):
    """Share of the tokens of one sort that are the student's choice, too."""

    n: int
    parent: float
    candidate: float


class SliceRow(ControlReply):
    """A slice of the held-out rows, parent and candidate."""

    n: int
    exact: ChangeRow
    facts: ChangeRow
    agreement: ChangeRow
    tokens: dict[str, TokenRow] = Field(default_factory=dict)
    """Agreement by what a token is: wording, copied from the prompt, computed."""


class LostRow(ControlReply):
    """A held-out prompt whose reply the parent had right and the candidate has not."""

    id: str
    slice: str
    kind: str
    asked: str
    teacher: str
    candidate: str
    exact: bool
    """Whether an exact reply was lost; else only facts were."""
    facts: bool


class RoundReport(RoundRow):
    """A round with all that is known of it."""

    drawn: dict[str, Any]
    """What was drawn and why, and what was left out, up to 50 rows of each reason by id; empty before that."""
    clusters: list[dict[str, Any]]
    """Rows by cluster of prompts, part, role and reason; the largest first."""
    slices: dict[str, SliceRow]
    """`general` and `hard`, before and after; empty before the candidate was judged."""
    lost: list[LostRow]
    """Examples; of each slice those that lost facts first."""
    ends_in: float | None
    """Seconds until it ends if nothing is refused; None where nothing says, or it is over."""
    notes: dict[str, str] = Field(default_factory=dict)
    """Of teacher, parent and candidate, what stands beside their figures."""


class RoundsReply(ControlReply):
    """Rounds, newest first."""

    rounds: list[RoundRow]
    notes: dict[str, str] = Field(default_factory=dict)
    """By version, what stands beside its figures."""


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
