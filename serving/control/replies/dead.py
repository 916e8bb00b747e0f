"""Dead letters as the control plane tells of them."""

from __future__ import annotations

from feedback.dead.box import LetterState
from serving.control.replies.base import ControlReply


class LetterRow(ControlReply):
    """A dead letter: an event that could not be applied, taken or read."""

    id: str
    at: float
    """When it was buried, in seconds since the epoch; 0 for letters of former versions."""
    session: str
    error: str
    parts: int
    state: LetterState


class LettersReply(ControlReply):
    """The letters of a topic, oldest first."""

    topic: str
    letters: list[LetterRow]


class LetterReply(ControlReply):
    """One letter with its event."""

    topic: str
    id: str
    at: float
    session: str
    spool: str
    number: int
    position: str
    error: str
    text: str | None
    """The event; None where its bytes are not UTF-8."""
    base64: str
    """Its bytes."""


class LettersReplayedReply(ControlReply):
    """Ids of letters put back now, of those put back before, and of those that cannot be, with why."""

    topic: str
    replayed: list[str]
    before: list[str]
    failed: dict[str, str]
