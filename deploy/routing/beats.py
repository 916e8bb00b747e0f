"""Beats: what slots and gateways report of themselves; each counts for five seconds.

They go to every store that there is, so that on one machine the controller sees its slots while Redis is gone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from pydantic import ValidationError

from deploy.routing.document import BreakerBeat, GatewayBeat, Heartbeat
from understudy.clock import Clock, wall

log = logging.getLogger("understudy.beats")

Beat = TypeVar("Beat", Heartbeat, GatewayBeat)
EXPIRY = 5
"""Seconds that a beat counts; one from further ahead than this counts for nothing: a clock was set back."""


class BeatStore(Protocol):
    """One place for beats. What is no beat is left out; calls are synchronous and do not wait long."""

    def report_slot(self, beat: Heartbeat) -> None:
        """Report a slot, stamped with the time."""

    def report_gateway(self, beat: GatewayBeat) -> None:
        """Report a gateway, stamped with the time."""

    def slots(self) -> Mapping[str, Heartbeat]:
        """The slots that reported within five seconds, by name."""

    def gateways(self) -> Mapping[str, GatewayBeat]:
        """The gateways that reported within five seconds, by name."""

    def forget_gateway(self, name: str) -> None:
        """Take a gateway off the list at once."""

    @property
    def answers(self) -> bool:
        """Whether silence means absence: the place can be reached."""


class Beats:
    """Beats over all of `stores`; the younger one counts where several have it.

    A store that cannot be written (a full disk) keeps no beat from the others, nor from who reports.
    """

    def __init__(self, *stores: BeatStore, clock: Clock = wall) -> None:
        self._stores = stores
        self._clock = clock
        self._failing = False

    def report_slot(self, beat: Heartbeat) -> None:
        """Report a slot; counts for five seconds."""
        stamped = beat.model_copy(update={"at": self._clock()})
        self._tell(lambda store: store.report_slot(stamped))

    def report_gateway(self, name: str, epoch: int, url: str, breaker: BreakerBeat = BreakerBeat()) -> None:  # noqa: B008
        """Report that gateway `name` routes by `epoch`, and how its breakers stand."""
        beat = GatewayBeat(id=name, epoch=epoch, url=url, pid=os.getpid(), breaker=breaker, at=self._clock())
        self._tell(lambda store: store.report_gateway(beat))

    def slots(self) -> dict[str, Heartbeat]:
        """The slots that reported within five seconds, by name."""
        return _younger([store.slots() for store in self._stores])

    def gateways(self) -> list[GatewayBeat]:
        """Beats of the gateways that reported within five seconds, by name."""
        heard = _younger([store.gateways() for store in self._stores])
        return [heard[name] for name in sorted(heard)]

    def forget_gateway(self, name: str) -> None:
        """Take a gateway off the list at once, for one that stops in order."""
        self._tell(lambda store: store.forget_gateway(name))

    def _tell(self, report: Callable[[BeatStore], None]) -> None:
        failed: OSError | None = None
        for store in self._stores:
            try:
                report(store)
            except OSError as error:
                failed = error
        if failed is not None and not self._failing:
            log.warning("beats do not reach every place: %s; give the state directory room", failed)
        self._failing = failed is not None

    @property
    def sees_all(self) -> bool:
        """Whether silence means absence: every store answers."""
        return all(store.answers for store in self._stores)


def parse_beat(model: type[Beat], text: str | bytes) -> Beat | None:
    """The beat in `text`; None of what is none."""
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None


def _younger(heard: list[Mapping[str, Beat]]) -> dict[str, Beat]:
    newest: dict[str, Beat] = {}
    for beats in heard:
        for name, beat in beats.items():
            if name not in newest or beat.at > newest[name].at:
                newest[name] = beat
    return newest
