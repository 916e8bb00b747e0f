"""Looks at a process that beats, or does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.crew.pulse import Pulse


@given(st.integers(0, 9), st.lists(st.booleans(), max_size=30))
def test_looks_without_a_beat_are_counted_from_the_last_one_on(before: int, looks: list[bool]) -> None:
    pulse = Pulse(before)
    for beaten in looks:
        pulse = pulse.after(pulse.beats + beaten)
    begun = True in looks
    assert pulse == Pulse(before + sum(looks), begun, looks[::-1].index(True) if begun else len(looks))


@given(st.booleans(), st.integers(0, 30), st.integers(1, 9), st.integers(1, 20))
def test_one_that_has_yet_to_begin_is_given_its_own_time(begun: bool, missed: int, patience: int, more: int) -> None:
    lost = Pulse(0, begun, missed).lost(patience, patience + more)
    assert lost == (missed >= (patience if begun else patience + more))
