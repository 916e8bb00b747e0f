"""The table of what a client's connection is reading."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.http.client_state import AFTER, HALF_CLOSED, WITHIN, ClientEvent, ClientState
from understudy.errors import IllegalTransition

S, E = ClientState, ClientEvent


def walk(events: list[ClientEvent]) -> list[ClientState]:
    """The states passed through; an illegal event raises and leaves the state as it was."""
    states = [S.OPENED]
    for event in events:
        state = states[-1]
        if (state, event) in AFTER:
            states.append(AFTER[state, event])
        else:
            with pytest.raises(IllegalTransition, match=state.value):
                AFTER[state, event]
    return states


@given(st.lists(st.sampled_from(E), max_size=40))
def test_whatever_happens_refusals_ends_and_losses_are_never_taken_back(events: list[ClientEvent]) -> None:
    size = len(AFTER)
    for before, after in pairwise(walk(events)):
        if before is S.LINGERING:
            assert after in (S.LINGERING, S.CLOSED)
        if before in HALF_CLOSED:
            assert after in (S.LINGERING, S.CLOSED)
        assert before is not S.CLOSED
    assert len(AFTER) == size


@given(st.lists(st.sampled_from(E), max_size=40))
def test_a_body_is_read_only_after_a_head_and_a_head_only_after_a_beginning(events: list[ClientEvent]) -> None:
    for before, after in pairwise(walk(events)):
        if after is S.BODY:
            assert before is S.HEAD
        if after is S.SLOW_BODY:
            assert before is S.BODY
        if after is S.BETWEEN:
            assert before in (S.BODY, S.SLOW_BODY)


@pytest.mark.parametrize("state", sorted(WITHIN | {S.OPENED, S.BETWEEN}))
def test_whoever_may_still_send_may_be_refused(state: ClientState) -> None:
    assert AFTER[state, E.REFUSED] is S.LINGERING


def test_a_side_closed_within_a_request_is_told_from_one_closed_between_two() -> None:
    assert walk([E.BEGIN, E.EOF])[-1] is S.CUT
    assert walk([E.BEGIN, E.HEAD_READ, E.EOF])[-1] is S.CUT
    assert walk([E.BEGIN, E.HEAD_READ, E.LATE, E.EOF])[-1] is S.CUT
    assert walk([E.BEGIN, E.HEAD_READ, E.REQUEST_READ, E.EOF])[-1] is S.ENDED
    assert walk([E.EOF])[-1] is S.ENDED


def test_a_slow_body_has_one_more_chance() -> None:
    with pytest.raises(IllegalTransition):
        AFTER[S.SLOW_BODY, E.LATE]
