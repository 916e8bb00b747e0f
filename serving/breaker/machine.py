"""One breaker: counts how calls ended, opens when too many were bad, and lets probes decide when to close."""

from __future__ import annotations

from enum import Enum

from serving.breaker.config import BreakerRule
from serving.breaker.table import BreakerEvent, BreakerState, after
from serving.breaker.window import RateWindow
from understudy.clock import Clock

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


class CallOutcome(Enum):
    """How a call ended."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    """It says nothing either way, such as a client that went away."""


class Breaker:
    """Each call begins with `begin` and ends with `end`, once; both are counted for the state in which it began.

    pybreaker was considered: it counts failures in a row and knows no rate.
    """

    __slots__ = ("_clock", "_era", "_good", "_opened", "_pause", "_probing", "_rule", "_state", "_window", "badness")

    def __init__(self, rule: BreakerRule, clock: Clock) -> None:
        self._rule = rule
        self._clock = clock
        self._state = CLOSED
        self._era = 0
        """Counts changes of state: what began in a former one says nothing about this one."""
        self._window = RateWindow(rule.window_seconds, clock())
        self._pause = rule.first_pause_seconds
        self._opened = 0.0
        self._probing = self._good = 0
        self.badness = 0.0
        """The share of bad calls that opened it last."""

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._state is OPEN and self.left <= 0:
            self._go(BreakerEvent.ELAPSED)
        return self._state

    @property
    def left(self) -> float:
        """Seconds until an open one lets probes through; a clock that was set back begins the pause anew."""
        now = self._clock()
        self._opened = min(self._opened, now)
        return self._pause - (now - self._opened)

    @property
    def admits(self) -> bool:
        """Whether one more call should be made."""
        state = self.state
        return state is CLOSED or (state is HALF_OPEN and self._probing < self._rule.probes)

    def begin(self) -> int:
        """A call begins, admitted or not; what is returned is given to `end`."""
        if self.state is HALF_OPEN:
            self._probing += 1
        return self._era

    def end(self, era: int, outcome: CallOutcome) -> bool:
        """The call that began in `era` ended; whether the breaker opened by it."""
        if era != self._era:
            return False
        if self._state is CLOSED:
            return outcome is not CallOutcome.UNKNOWN and self._counted(outcome is CallOutcome.BAD)
        if self._state is OPEN:
            if outcome is CallOutcome.GOOD:
                self._go(BreakerEvent.ALIVE)
                self._passed()
            return False
        self._probing -= 1
        if outcome is CallOutcome.BAD:
            self._go(BreakerEvent.FAILED)
            return True
        if outcome is CallOutcome.GOOD:
            self._passed()
        return False

    def strike(self, pause: float | None = None) -> None:
        """Open it at once, for `pause` seconds where that is longer than what is left."""
        if self.state is not OPEN:
            self.badness = 1.0
            self._go(BreakerEvent.STRUCK)
        if pause is not None and pause > self.left:
            self._pause = min(pause, self._rule.longest_pause_seconds)
            self._opened = self._clock()

    def release(self) -> None:
        """Close it, and forget what was counted."""
        self._go(BreakerEvent.RELEASED)

    def _counted(self, bad: bool) -> bool:
        now = self._clock()
        self._window.add(bad, now)
        calls, failed = self._window.counts(now)
        if calls < self._rule.calls or failed < self._rule.share * calls:
            return False
        self.badness = failed / calls
        self._go(BreakerEvent.TRIPPED)
        return True

    def _passed(self) -> None:
        self._good += 1
        if self._good >= self._rule.probes:
            self._go(BreakerEvent.PASSED)

    def _go(self, event: BreakerEvent) -> None:
        before, self._state = self._state, after(self._state, event)
        self._era += 1
        self._probing = self._good = 0
        now = self._clock()
        if self._state is OPEN:
            self._opened = now
            if before is HALF_OPEN:
                self._pause = min(2 * self._pause, self._rule.longest_pause_seconds)
        elif self._state is CLOSED:
            self._pause = self._rule.first_pause_seconds
            self._window.clear(now)
