"""What a breaker may do when, as one table."""

from __future__ import annotations

from enum import StrEnum

from understudy.errors import IllegalTransition


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    """All is let through and counted."""
    OPEN = "open"
    HALF_OPEN = "half_open"
    """A few probes are let through; they decide."""


class BreakerEvent(StrEnum):
    """What can happen to a breaker."""

    TRIPPED = "tripped"
    """Too large a share of what was counted was bad."""
    STRUCK = "struck"
    """Something certain that needs no counting: nobody listens there, or another gateway's breaker opened."""
    ELAPSED = "elapsed"
    """The pause is over."""
    ALIVE = "alive"
    """What was let through in spite of it went well."""
    PASSED = "passed"
    """Enough probes went well."""
    FAILED = "failed"
    """A probe did not."""
    RELEASED = "released"
    """Somebody who may says so."""


S, E = BreakerState, BreakerEvent
BREAKER: dict[tuple[BreakerState, BreakerEvent], BreakerState] = {
    (S.CLOSED, E.TRIPPED): S.OPEN,
    (S.CLOSED, E.STRUCK): S.OPEN,
    (S.CLOSED, E.RELEASED): S.CLOSED,
    (S.OPEN, E.STRUCK): S.OPEN,
    (S.OPEN, E.ELAPSED): S.HALF_OPEN,
    (S.OPEN, E.ALIVE): S.HALF_OPEN,
    (S.OPEN, E.RELEASED): S.CLOSED,
    (S.HALF_OPEN, E.STRUCK): S.OPEN,
    (S.HALF_OPEN, E.PASSED): S.CLOSED,
    (S.HALF_OPEN, E.FAILED): S.OPEN,
    (S.HALF_OPEN, E.RELEASED): S.CLOSED,
}


def after(state: BreakerState, event: BreakerEvent) -> BreakerState:
    """The next state.

    Raises:
        IllegalTransition: the event has no meaning in `state`.
    """
    try:
        return BREAKER[state, event]
    except KeyError:
        raise IllegalTransition(f"a breaker that is {state} cannot take the event {event}") from None
