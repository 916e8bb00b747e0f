"""The breaker against what it promises, whatever happens in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from serving.breaker.config import BreakerRule
from serving.breaker.machine import Breaker, CallOutcome
from serving.breaker.table import BreakerState

RULE = BreakerRule(
    window_seconds=10, calls=4, share=0.5, first_pause_seconds=1, longest_pause_seconds=4, probes=2
)  # fmt: skip
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


class AnyCalls(RuleBasedStateMachine):
    """Callers who obey `admits`, beside some who do not; a clock that runs and, now and then, jumps back."""

    calls: Bundle[tuple[int, bool]] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.breaker = Breaker(RULE, lambda: self.now)
        self.probing = 0
        self.state = CLOSED
        self.since = 0
        """Calls that ended since it closed."""

    def seen(self) -> None:
        """Take the state over; a change ends the counts."""
        if self.breaker.state is not self.state:
            self.state, self.probing, self.since = self.breaker.state, 0, 0

    @rule(target=calls)
    def begin(self) -> tuple[int, bool]:
        admitted = self.breaker.admits
        self.seen()
        if self.state is CLOSED:
            assert admitted
        if self.state is OPEN:
            assert not admitted
        if self.state is HALF_OPEN:
            assert admitted is (self.probing < RULE.probes)
            if not admitted:
                return -1, False
            self.probing += 1
        return self.breaker.begin(), True

    @rule(call=consumes(calls), outcome=st.sampled_from(CallOutcome))
    def end(self, call: tuple[int, bool], outcome: CallOutcome) -> None:
        before = self.state
        opened = self.breaker.end(call[0], outcome)
        counted = outcome is not CallOutcome.UNKNOWN
        self.since += counted
        after = self.breaker.state
        if opened and before is CLOSED:
            assert after is OPEN
            assert self.since >= RULE.calls, "too few calls to speak"
        if opened:
            assert outcome is not CallOutcome.UNKNOWN
            assert self.breaker.badness >= RULE.share
        if not counted:
            assert after is before
        if after is before is HALF_OPEN and call[1] and self.probing:
            self.probing = self.breaker._probing
        self.seen()

    @rule(seconds=st.floats(0, 12))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.seen()

    @rule(seconds=st.floats(0, 1e6))
    def jump_back(self, seconds: float) -> None:
        self.now -= seconds
        self.seen()

    @rule(pause=st.one_of(st.none(), st.floats(0, 1e9)))
    def strike(self, pause: float | None) -> None:
        self.breaker.strike(pause)
        assert self.breaker.state is OPEN
        self.seen()

    @rule()
    def release(self) -> None:
        self.breaker.release()
        assert self.breaker.admits
        self.state, self.probing, self.since = CLOSED, 0, 0

    @precondition(lambda self: self.state is OPEN)
    @rule()
    def the_pause_ends(self) -> None:
        self.now += RULE.longest_pause_seconds + 1e-6
        assert self.breaker.state is HALF_OPEN
        self.seen()

    @invariant()
    def is_sound(self) -> None:
        assert 0 <= self.breaker._probing <= RULE.probes
        assert self.breaker.left <= RULE.longest_pause_seconds or self.state is not OPEN


AnyCalls.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyCalls = AnyCalls.TestCase


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def said(breaker: Breaker, outcomes: str) -> None:
    """Calls one after the other: `g`ood, `b`ad or `u`nknown."""
    for letter in outcomes:
        breaker.end(breaker.begin(), {"g": CallOutcome.GOOD, "b": CallOutcome.BAD, "u": CallOutcome.UNKNOWN}[letter])


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [("bbb", CLOSED), ("bbuuuu", CLOSED), ("bbbb", OPEN), ("gggb", CLOSED), ("ggbb", OPEN), ("bbbg", OPEN)],
)
def test_it_opens_by_the_share_of_enough_calls(outcomes: str, state: BreakerState) -> None:
    breaker = Breaker(RULE, Watch())
    said(breaker, outcomes)
    assert breaker.state is state


def test_probes_close_it_and_a_bad_one_doubles_the_pause_up_to_the_longest() -> None:
    watch = Watch()
    breaker = Breaker(RULE, watch)
    said(breaker, "bbbb")
    for pause in (1, 2, 4, 4):
        watch.now += pause - 0.5
        assert breaker.state is OPEN
        watch.now += 0.5
        assert breaker.state is HALF_OPEN
        said(breaker, "gb")
    watch.now += 4
    said(breaker, "gug")
    assert breaker.state is CLOSED
    said(breaker, "bbbb")
    watch.now += 1
    assert breaker.state is HALF_OPEN, "the pause begins small again"


def test_a_call_says_nothing_about_a_later_state() -> None:
    watch = Watch()
    breaker = Breaker(RULE, watch)
    slow = [breaker.begin() for _ in range(3)]
    said(breaker, "bbbb")
    watch.now += 1
    assert breaker.state is HALF_OPEN
    for era in slow:
        assert not breaker.end(era, CallOutcome.BAD)
    assert breaker.state is HALF_OPEN


def test_what_goes_well_though_it_is_open_begins_the_probing() -> None:
    breaker = Breaker(RULE, Watch())
    breaker.strike()
    said(breaker, "b")
    assert breaker.state is OPEN
    said(breaker, "g")
    assert breaker.state is HALF_OPEN
    said(breaker, "g")
    assert breaker.state is CLOSED


def test_what_opened_it_counts_no_more_once_it_is_closed() -> None:
    breaker = Breaker(RULE, Watch())
    said(breaker, "bbbb")
    breaker.release()
    said(breaker, "bbb")
    assert breaker.state is CLOSED
    said(breaker, "b")
    assert breaker.state is OPEN


def test_a_strike_lengthens_a_pause_and_never_shortens_it() -> None:
    watch = Watch()
    breaker = Breaker(RULE, watch)
    breaker.strike(3)
    watch.now += 1
    breaker.strike(0.5)
    assert breaker.left == 2
    breaker.strike(3.5)
    assert breaker.left == 3.5
