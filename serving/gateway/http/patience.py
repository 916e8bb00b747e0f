"""How long a client's connection is waited for: one alarm, for what is to come of a request or for a next one."""

from __future__ import annotations

from collections.abc import Callable

from understudy.process.alarms import Alarms


class Patience:
    """Calls `slow` when the rest of a request is late, `idle` when no further one comes."""

    __slots__ = ("_alarms", "_idle", "_slow", "resting", "watching")

    def __init__(self, alarms: Alarms, slow: Callable[[], None], idle: Callable[[], None]) -> None:
        self._alarms, self._slow, self._idle = alarms, slow, idle
        self.watching = self.resting = False
        """Whether an alarm is set for what is to come of a request; for a next one."""

    def watch(self, seconds: float) -> None:
        """The rest of a request is to come within `seconds`."""
        self.watching, self.resting = True, False
        self._alarms.set(self, seconds)

    def rest(self, seconds: float) -> None:
        """A next request is to come within `seconds`; what is watched stays so."""
        if not self.watching:
            self.resting = True
            self._alarms.set(self, seconds)

    def end(self) -> None:
        """Nothing is waited for."""
        self.watching = self.resting = False
        self._alarms.clear(self)

    def alarm(self) -> None:
        """It is late."""
        late = self._slow if self.watching else self._idle
        self.watching = self.resting = False
        late()
