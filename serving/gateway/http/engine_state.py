"""What a connection to an engine is at, as one table: one request, its reply, and the next.

A reply is read in pieces of any size and told after each piece, so a head, or a whole reply, may be read but not yet
told.
"""

from __future__ import annotations

from enum import StrEnum

from serving.transitions import Transitions


class EngineState(StrEnum):
    """Where the reply stands."""

    IDLE = "idle"
    """It may carry a request."""
    WAITING = "waiting"
    """A request is sent; no final head has come (interim ones may have)."""
    HEAD = "head"
    """The head is read, and not yet told."""
    BODY = "body"
    """The head is told; the body comes."""
    WHOLE = "whole"
    """The reply is read to its end, and its head not yet told."""
    WHOLE_LAST = "whole, last"
    """Likewise, and the connection carries no further request."""
    DONE = "done"
    """The reply is read to its end, and its head told."""
    LAST = "last"
    """Likewise, and the connection carries no further request."""
    CLOSED = "closed"


class EngineEvent(StrEnum):
    """What can happen to a connection."""

    ASKED = "asked"
    HEAD_READ = "head read"
    INTERIM = "interim head"
    TOLD = "told"
    REPLY_READ = "reply read"
    LAST_READ = "last reply read"
    """The reply is read, and the engine keeps the connection no longer."""
    MORE = "more"
    """Bytes came after the end of a reply: whose they are nobody knows."""
    RELEASED = "released"
    CLOSED = "closed"
    """By either side."""


S, E = EngineState, EngineEvent
AFTER: Transitions[EngineState, EngineEvent] = Transitions({
    (S.IDLE, E.ASKED): S.WAITING,
    (S.WAITING, E.HEAD_READ): S.HEAD,
    (S.HEAD, E.INTERIM): S.WAITING,
    (S.HEAD, E.TOLD): S.BODY,
    (S.HEAD, E.REPLY_READ): S.WHOLE,
    (S.HEAD, E.LAST_READ): S.WHOLE_LAST,
    (S.BODY, E.REPLY_READ): S.DONE,
    (S.BODY, E.LAST_READ): S.LAST,
    (S.WHOLE, E.TOLD): S.DONE,
    (S.WHOLE, E.MORE): S.WHOLE_LAST,
    (S.WHOLE_LAST, E.TOLD): S.LAST,
    (S.WHOLE_LAST, E.MORE): S.WHOLE_LAST,
    (S.DONE, E.MORE): S.LAST,
    (S.DONE, E.RELEASED): S.IDLE,
    (S.LAST, E.MORE): S.LAST,
})  # fmt: skip
AFTER.update({(state, E.CLOSED): S.CLOSED for state in S})

READING = frozenset({S.HEAD, S.BODY})
"""States in which bytes belong to the reply's body."""
UNTOLD = frozenset({S.HEAD, S.WHOLE, S.WHOLE_LAST})
COMPLETE = frozenset({S.WHOLE, S.WHOLE_LAST, S.DONE, S.LAST})
