"""The table of a request's life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.completion.life import AFTER, LifeEvent, LifeState
from understudy.errors import IllegalTransition

S, E = LifeState, LifeEvent


@given(st.lists(st.sampled_from(E), max_size=20))
def test_a_reply_begins_once_in_turn_and_after_the_whole_request(events: list[LifeEvent]) -> None:
    state, taken = S.QUEUED, []
    for event in events:
        if (state, event) not in AFTER:
            with pytest.raises(IllegalTransition):
                AFTER[state, event]
            continue
        taken.append(event)
        state = AFTER[state, event]
        if event is E.REPLY:
            assert taken.count(E.REPLY) == 1
            assert {E.TURN, E.WHOLE} <= set(taken)
            assert E.END not in taken
    assert taken.count(E.END) <= 1
    assert (state is S.OVER) == (E.END in taken)


def test_every_life_can_end_and_the_rest_of_a_body_may_come_afterwards() -> None:
    assert all(AFTER[state, E.END] is S.OVER for state in S if state is not S.OVER)
    assert AFTER[S.OVER, E.WHOLE] is S.OVER
