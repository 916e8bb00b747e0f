"""What a client's connection is reading, as one table. What it is answered is the request's own affair.

Requests are pipelined: one is read while replies to earlier ones are under way, so reading has a table of its own.
"""

from __future__ import annotations

from enum import StrEnum

from serving.transitions import Transitions


class ClientState(StrEnum):
    """Where reading stands."""

    OPENED = "opened"
    """No request has begun yet."""
    BETWEEN = "between requests"
    HEAD = "reading a head"
    UPGRADE = "reading a head again"
    """It asked for another protocol, and is read as if it had not."""
    BODY = "reading a body"
    SLOW_BODY = "reading a slow body"
    """It had the time of a head, and has now the rest of the time of a body."""
    LINGERING = "lingering"
    """Refused: what still comes is dropped until the client has read why."""
    ENDED = "ended"
    """The client closed its sending side after whole requests; it may still read."""
    CUT = "cut"
    """The client closed its sending side within a request."""
    CLOSED = "closed"


class ClientEvent(StrEnum):
    """What can happen to reading."""

    BEGIN = "begin"
    HEAD_READ = "head read"
    OFFER_UPGRADE = "offer to upgrade"
    REQUEST_READ = "request read"
    LATE = "late"
    REFUSED = "refused"
    EOF = "eof"
    LOST = "lost"


S, E = ClientState, ClientEvent
AFTER: Transitions[ClientState, ClientEvent] = Transitions({
    (S.OPENED, E.BEGIN): S.HEAD,
    (S.OPENED, E.REFUSED): S.LINGERING,
    (S.OPENED, E.EOF): S.ENDED,
    (S.BETWEEN, E.BEGIN): S.HEAD,
    (S.BETWEEN, E.REFUSED): S.LINGERING,
    (S.BETWEEN, E.EOF): S.ENDED,
    (S.HEAD, E.HEAD_READ): S.BODY,
    (S.HEAD, E.OFFER_UPGRADE): S.UPGRADE,
    (S.HEAD, E.REFUSED): S.LINGERING,
    (S.HEAD, E.EOF): S.CUT,
    (S.UPGRADE, E.BEGIN): S.HEAD,
    (S.UPGRADE, E.REQUEST_READ): S.UPGRADE,
    (S.UPGRADE, E.REFUSED): S.LINGERING,
    (S.BODY, E.REQUEST_READ): S.BETWEEN,
    (S.BODY, E.LATE): S.SLOW_BODY,
    (S.BODY, E.REFUSED): S.LINGERING,
    (S.BODY, E.EOF): S.CUT,
    (S.SLOW_BODY, E.REQUEST_READ): S.BETWEEN,
    (S.SLOW_BODY, E.REFUSED): S.LINGERING,
    (S.SLOW_BODY, E.EOF): S.CUT,
    (S.LINGERING, E.BEGIN): S.LINGERING,
    (S.LINGERING, E.HEAD_READ): S.LINGERING,
    (S.LINGERING, E.OFFER_UPGRADE): S.LINGERING,
    (S.LINGERING, E.REQUEST_READ): S.LINGERING,
    (S.LINGERING, E.EOF): S.LINGERING,
    (S.CUT, E.REFUSED): S.LINGERING,
})  # fmt: skip
AFTER.update({(state, E.LOST): S.CLOSED for state in S if state is not S.CLOSED})

WITHIN = frozenset({S.HEAD, S.UPGRADE, S.BODY, S.SLOW_BODY})
"""States within a request of which more may come."""
HALF_CLOSED = frozenset({S.ENDED, S.CUT})
"""States in which the client has closed its sending side."""
