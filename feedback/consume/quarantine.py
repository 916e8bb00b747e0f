"""Sessions of which nothing is learned any more: one of their turns was flagged by the guard."""

from __future__ import annotations

from collections import OrderedDict

from feedback.events import Exchange

MOST = 100_000


class Quarantine:
    """Remembers sessions, at most `limit`; the one that was seen longest ago goes first.

    A session's events lie in one partition, in order, so whoever reads its flagged turn reads those after it. A gateway
    marks later turns of sessions that it flagged itself; this tells those that came by another.
    """

    def __init__(self, limit: int = MOST) -> None:
        self._limit = limit
        self._sessions: OrderedDict[tuple[str, str], None] = OrderedDict()

    def holds(self, exchange: Exchange) -> bool:
        """Whether nothing may be learned of `exchange`: it is flagged, or an earlier turn of its session was."""
        session = (exchange.tenant, exchange.session)
        if not exchange.flagged and session not in self._sessions:
            return False
        self._sessions[session] = None
        self._sessions.move_to_end(session)
        if len(self._sessions) > self._limit:
            self._sessions.popitem(last=False)
        return True
