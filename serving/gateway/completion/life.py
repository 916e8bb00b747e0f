"""The life of a completion request as one table: read, asked, answered."""

from __future__ import annotations

from enum import StrEnum

from serving.transitions import Transitions


class LifeState(StrEnum):
    """Where a request stands."""

    QUEUED = "queued"
    """It is being read, and earlier requests of its connection are not answered yet."""
    QUEUED_WHOLE = "queued, whole"
    READING = "reading"
    """It is its turn, and its body is on the way."""
    ASKING = "asking"
    """It is checked, and engines are asked."""
    REPLYING = "replying"
    """The client has bytes of the reply."""
    OVER = "over"


class LifeEvent(StrEnum):
    """What can happen to a request."""

    TURN = "turn"
    WHOLE = "whole"
    REPLY = "reply"
    END = "end"


S, E = LifeState, LifeEvent
AFTER: Transitions[LifeState, LifeEvent] = Transitions({
    (S.QUEUED, E.TURN): S.READING,
    (S.QUEUED, E.WHOLE): S.QUEUED_WHOLE,
    (S.QUEUED, E.END): S.OVER,
    (S.QUEUED_WHOLE, E.TURN): S.ASKING,
    (S.QUEUED_WHOLE, E.END): S.OVER,
    (S.READING, E.WHOLE): S.ASKING,
    (S.READING, E.END): S.OVER,
    (S.ASKING, E.REPLY): S.REPLYING,
    (S.ASKING, E.END): S.OVER,
    (S.REPLYING, E.END): S.OVER,
    (S.OVER, E.WHOLE): S.OVER,
})  # fmt: skip
