"""When a role starts, restarts and ends: one table, and a back-off with an injected clock. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from understudy.errors import IllegalTransition

RoleState = Literal["idle", "running", "backing_off", "stopping", "stopped"]
RoleEvent = Literal["start", "exited", "due", "stop"]

TABLE: dict[tuple[RoleState, RoleEvent], RoleState] = {
    ("idle", "start"): "running",
    ("idle", "stop"): "stopped",
    ("running", "exited"): "backing_off",
    ("running", "stop"): "stopping",
    ("backing_off", "due"): "running",
    ("backing_off", "stop"): "stopped",
    ("stopping", "exited"): "stopped",
    ("stopping", "stop"): "stopping",
    ("stopped", "stop"): "stopped",
    ("stopped", "start"): "running",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Back-off in seconds: `first`, doubled for each failure in a row up to `limit`; forgotten after `steady`."""

    first: float = 0.5
    limit: float = 15.0
    steady: float = 30.0


@dataclass(frozen=True, slots=True)
class Life:
    """A role's state, with when it started, how often it failed in a row, and when it is due again."""

    state: RoleState = "idle"
    started: float = 0.0
    failures: int = 0
    due: float = 0.0
    restarts: int = 0

    def after(self, event: RoleEvent, now: float, policy: Policy) -> Life:
        """The life after `event` at `now` (monotonic seconds).

        Raises:
            IllegalTransition: the table does not hold (state, event).
        """
        state = TABLE.get((self.state, event))
        if state is None:
            raise IllegalTransition(f"a role that is {self.state} cannot take the event {event}")
        if state == "running":
            return replace(self, state=state, started=now, restarts=self.restarts + (event == "due"))
        if state == "backing_off":
            failures = 1 if now - self.started >= policy.steady else self.failures + 1
            wait = min(policy.limit, policy.first * 2 ** min(failures - 1, 20))
            return replace(self, state=state, failures=failures, due=now + wait)
        return replace(self, state=state)
