"""Breakers of users, bounded in number: those that are closed are forgotten before those that are not."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice

from serving.breaker.config import BreakerRule, UserBreakerConfig
from serving.breaker.machine import Breaker, CallOutcome
from serving.breaker.table import BreakerState
from understudy.clock import Clock
from understudy.ids import stable_id

MOST_NAMED = 20
"""Users with an open breaker that a gateway names."""


def user_name(tenant: str, user: str) -> str:
    """What a user's breaker is called everywhere: a hash, for names of users stay with the gateway."""
    return stable_id("breaker of a user", tenant, user)[:20]


def asker_named(user: str) -> str:
    """Who `user` is to a breaker: an address where it says so, else the name that a request gives."""
    return user if user.startswith("address:") else f"user:{user}"


def is_name(text: str) -> bool:
    """Whether `text` can be the name of a breaker."""
    return re.fullmatch("[0-9a-f]{20}", text) is not None


def tenant_name(tenant: str) -> str:
    """What the breaker of a whole tenant is called."""
    return stable_id("breaker of a tenant", tenant)[:20]


class UserBreakers:
    """By name, in two lists of least recent use; the event loop alone uses it.

    `opened` hears of each breaker that opens here: its name, and for how many seconds.
    """

    def __init__(
        self, config: UserBreakerConfig, clock: Clock, opened: Callable[[str, float], None] = lambda name, seconds: None
    ) -> None:
        self.config = config
        self.openings = 0
        self._clock = clock
        self._opened = opened
        self._tenants: BreakerRule = config.model_copy(update={"calls": config.tenant_calls or 1})
        self._closed: OrderedDict[str, Breaker] = OrderedDict()
        self._tripped: OrderedDict[str, Breaker] = OrderedDict()

    def begin(self, tenant: str, user: str) -> UserCall | None:
        """A request of a user; None where a breaker of theirs is open."""
        held: list[tuple[str, BreakerRule]] = [(user_name(tenant, user), self.config)]
        if self.config.tenant_calls is not None:
            held.append((tenant_name(tenant), self._tenants))
        breakers = [(name, self._find(name, rule)) for name, rule in held]
        if not all(breaker.admits for _, breaker in breakers):
            return None
        return UserCall(self, [(name, breaker, breaker.begin()) for name, breaker in breakers])

    def strike(self, name: str, seconds: float) -> None:
        """Another gateway's breaker opened, for so many seconds more."""
        breaker = self._find(name, self.config)
        breaker.strike(seconds)
        self.keep(name, breaker)

    def release(self, name: str) -> bool:
        """Close a breaker; whether there was one that was not closed."""
        breaker = self._tripped.pop(name, None)
        if breaker is not None:
            breaker.release()
        return breaker is not None

    def told(self, name: str, breaker: Breaker, opened: bool) -> None:
        """A call of `breaker` ended; whether that opened it."""
        self.keep(name, breaker)
        if opened:
            self.openings += 1
            self._opened(name, breaker.left)

    def counts(self) -> dict[str, int]:
        """How many breakers there are, by state."""
        return dict(
            Counter({str(BreakerState.CLOSED): len(self._closed)}) + Counter(map(_state, self._tripped.values()))
        )

    def open_names(self) -> list[str]:
        """Of those that are open, the latest MOST_NAMED."""
        latest = reversed(self._tripped.items())
        return list(islice((name for name, one in latest if one.state is BreakerState.OPEN), MOST_NAMED))

    def keep(self, name: str, breaker: Breaker) -> None:
        """Put a breaker at the young end of the list to which its state belongs; forget what there is no room for."""
        closed = breaker.state is BreakerState.CLOSED
        mine, other = (self._closed, self._tripped) if closed else (self._tripped, self._closed)
        other.pop(name, None)
        mine[name] = breaker
        mine.move_to_end(name)
        if len(self._closed) + len(self._tripped) > self.config.users:
            (self._closed or self._tripped).popitem(last=False)

    def _find(self, name: str, rule: BreakerRule) -> Breaker:
        breaker = self._tripped.get(name) or self._closed.get(name)
        if breaker is None:
            breaker = Breaker(rule, self._clock)
        self.keep(name, breaker)
        return breaker


class UserCall:
    """One request of a user; what is told first counts."""

    __slots__ = ("_held", "_home")

    def __init__(self, home: UserBreakers, held: Sequence[tuple[str, Breaker, int]]) -> None:
        self._home = home
        self._held = held

    def end(self, outcome: CallOutcome) -> None:
        """It was judged: allowed, degraded, or neither counts."""
        held, self._held = self._held, ()
        for name, breaker, era in held:
            self._home.told(name, breaker, breaker.end(era, outcome))


def _state(breaker: Breaker) -> str:
    return str(breaker.state)
