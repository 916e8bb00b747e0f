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
    assert pulse == Pulse(before + sum(looks), begun, looks[::-1].index(True) if begun else 0)
