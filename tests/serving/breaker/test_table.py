"""The breaker's table."""

from __future__ import annotations

import itertools

import pytest

from serving.breaker.table import BREAKER, BreakerEvent, BreakerState, after
from understudy.errors import IllegalTransition


def test_every_pair_is_in_the_table_or_refused() -> None:
    for state, event in itertools.product(BreakerState, BreakerEvent):
        if (state, event) in BREAKER:
            assert after(state, event) is BREAKER[state, event]
        else:
            with pytest.raises(IllegalTransition, match=f"{state} cannot take the event {event}"):
                after(state, event)


def test_only_probes_lead_from_open_to_closed_or_somebody_who_may() -> None:
    closing = {pair for pair, state in BREAKER.items() if state is BreakerState.CLOSED and pair[0] != state}
    assert closing == {
        (BreakerState.HALF_OPEN, BreakerEvent.PASSED),
        (BreakerState.HALF_OPEN, BreakerEvent.RELEASED),
        (BreakerState.OPEN, BreakerEvent.RELEASED),
    }
