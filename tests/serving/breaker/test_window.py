"""Counts over a window, against every call remembered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.breaker.window import RateWindow

STEPS = st.lists(st.tuples(st.floats(0, 8), st.booleans()), max_size=60)


@given(STEPS)
def test_the_last_half_is_counted_whole_and_nothing_older_than_the_window(steps: list[tuple[float, bool]]) -> None:
    now, window = 0.0, RateWindow(10.0, 0.0)
    told: list[tuple[float, bool]] = []
    for passed, bad in steps:
        now += passed
        window.add(bad, now)
        told.append((now, bad))
        calls, failed = window.counts(now)
        recent = [was for at, was in told if now - at < 5 - 1e-9]
        kept = [was for at, was in told if now - at < 10 + 1e-9]
        assert len(recent) <= calls <= len(kept)
        assert sum(recent) <= failed <= sum(kept)


@given(STEPS, st.floats(-1e9, 1e9))
def test_a_clock_that_jumps_leaves_counts_that_can_be(steps: list[tuple[float, bool]], jump: float) -> None:
    now, window = 0.0, RateWindow(10.0, 0.0)
    for passed, bad in steps:
        now += passed
        window.add(bad, now)
    now += jump
    window.add(True, now)
    calls, failed = window.counts(now)
    assert 1 <= failed <= calls <= len(steps) + 1
    assert window.counts(now + 10) == (0, 0)
