"""How far the events of one partition have got: given to the bus, and believed to be held for good.

A bus is believed where it named a number, was heard without a break of its life for `keep` seconds, and then
named a number as high again: what it had only in memory at the first answer is on its disk at the second.
Nothing here asks anybody.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from feedback.bus.protocol import Held

MARKS = 2000
"""Times kept for the age of the oldest event."""


@dataclass(slots=True)
class Lane:
    """One partition of one spool."""

    sent: int
    """Highest number that the bus is taken to hold."""
    life: str = ""
    """Of the bus when it was last asked."""
    pause: float = 0.0
    """Seconds to wait after the failure before; doubled by each."""
    until: float = 0.0
    """Monotonic time before which nothing is sent."""
    _arrived: deque[tuple[float, int]] = field(default_factory=deque)
    _named: deque[tuple[float, int]] = field(default_factory=deque)

    def heard(self, held: Held, first: int, clock: float, keep: float) -> tuple[int, int]:
        """Take an answer in at `clock`, the seconds for which the bus was heard so far.

        `first` is the lowest number still in the spool, or the one given out next. Returns up to which number
        the spool may forget, and how many numbers the bus misses that the spool has no more.
        """
        if held.life != self.life:
            self._named.clear()
            self.life = held.life
        if held.highest is None:
            self._named.clear()
            self.sent = min(self.sent, first - 1)
            return 0, 0
        while self._named and self._named[-1][1] > held.highest:
            self._named.pop()
        gone = max(0, first - 1 - held.highest)
        self.sent = max(held.highest, first - 1)
        if not gone:
            self._named.append((clock, held.highest))
        believed = held.highest if held.sure and not gone else 0
        while self._named and self._named[0][0] <= clock - keep:
            believed = max(believed, self._named.popleft()[1])
        return believed, gone

    def arrived(self, last: int, now: float) -> None:
        """At `now` the spool's numbers went up to `last`."""
        while self._arrived and self._arrived[0][1] <= self.sent:
            self._arrived.popleft()
        if last > (self._arrived[-1][1] if self._arrived else self.sent):
            self._arrived.append((now, last))
        if len(self._arrived) > MARKS:  # half of them tell nearly as much
            self._arrived = deque(list(self._arrived)[::2])

    def age(self, now: float) -> float:
        """Seconds since the oldest event came that the bus does not hold; at least roughly."""
        marks = list(self._arrived)
        return next((now - at for at, number in marks if number > self.sent), 0.0)

    def failed(self, now: float, longest: float) -> None:
        """Nothing is sent for a while, twice as long as after the failure before."""
        self.pause = min(longest, max(0.05, self.pause * 2))
        self.until = now + self.pause

    def worked(self) -> None:
        """The bus took something."""
        self.pause = self.until = 0.0
