"""The table of a connection to an engine."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.http.engine_state import AFTER, COMPLETE, READING, UNTOLD, EngineEvent, EngineState
from understudy.errors import IllegalTransition

S, E = EngineState, EngineEvent


@given(st.lists(st.sampled_from(E), max_size=60))
def test_whatever_happens_a_head_is_told_once_for_each_request_and_only_after_it_was_read(
    events: list[EngineEvent],
) -> None:
    state, told = S.IDLE, 1
    for event in events:
        if (state, event) not in AFTER:
            with pytest.raises(IllegalTransition):
                AFTER[state, event]
            continue
        if event is E.ASKED:
            assert told == 1
            told = 0
        if event is E.TOLD:
            assert state in UNTOLD
            told += 1
        state = AFTER[state, event]
        assert told <= 1
        if state in (S.BODY, S.DONE, S.LAST, S.IDLE):
            assert told == 1


@given(st.lists(st.sampled_from(E), max_size=60))
def test_a_connection_after_whose_reply_more_came_is_never_used_again(events: list[EngineEvent]) -> None:
    state, spoiled = S.IDLE, False
    for event in events:
        if (state, event) in AFTER:
            spoiled = spoiled or event in (E.MORE, E.LAST_READ)
            state = AFTER[state, event]
        assert not (spoiled and state is S.IDLE)


def test_closed_is_reached_from_everywhere_and_left_for_nothing() -> None:
    assert all(AFTER[state, E.CLOSED] is S.CLOSED for state in S)
    assert {event for (state, event) in AFTER if state is S.CLOSED} == {E.CLOSED}


def test_the_sets_say_what_their_names_say() -> None:
    after_end = {AFTER[state, event] for state in READING for event in (E.REPLY_READ, E.LAST_READ)}
    assert after_end == COMPLETE
    assert {state for (state, event) in AFTER if event is E.TOLD} == UNTOLD
    for before, after in pairwise([S.IDLE, S.WAITING, S.HEAD, S.BODY, S.DONE, S.IDLE]):
        assert after in [AFTER[before, event] for event in E if (before, event) in AFTER]
