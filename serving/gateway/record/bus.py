"""The bus of a gateway that started before anybody could say where it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from feedback.bus.protocol import Bus, Held, Numbered, Place, Published, Received
from feedback.letters import LIMIT
from understudy.clock import Clock, monotonic
from understudy.errors import Unavailable

log = logging.getLogger("understudy.gateway")
LOOK = 1.0
"""Seconds between two looks for it."""


class LateBus:
    """`Bus` that `find` opens once it can; until `look` has found it nothing is taken that would go there."""

    def __init__(self, find: Callable[[], Bus | None], partitions: int, clock: Clock = monotonic) -> None:
        self.partitions = partitions
        self._find = find
        self._clock = clock
        self._bus: Bus | None = None
        self._looked = -LOOK

    @property
    def known(self) -> bool:
        """Whether it has been found."""
        return self._bus is not None

    def look(self) -> None:
        """Look for it, once a second at most; reads a file, so that it is called from a thread."""
        if self._bus is not None or self._clock() - self._looked < LOOK:
            return
        self._looked = self._clock()
        self._bus = self._find()
        if self._bus is not None:
            log.info("the bus is known now: requests are captured and feedback is taken")

    def publish(self, topic: str, partition: int, spool: str, batch: Sequence[Numbered]) -> Published:
        """See `Bus.publish`."""
        return self._found().publish(topic, partition, spool, batch)

    def held(self, spool: str, places: Sequence[Place]) -> dict[Place, Held]:
        """See `Bus.held`."""
        return self._found().held(spool, places)

    def skip(self, topic: str, partition: int, spool: str, number: int) -> None:
        """See `Bus.skip`."""
        self._found().skip(topic, partition, spool, number)

    def width(self, topic: str) -> int:
        """See `Bus.width`."""
        return self._found().width(topic)

    def bound(self, topic: str) -> int:
        """See `Bus.bound`; until the bus is known that of an event."""
        return LIMIT if self._bus is None else self._bus.bound(topic)

    def read(self, topic: str, partition: int, after: str, limit: int) -> list[Received]:
        """See `Bus.read`."""
        return self._found().read(topic, partition, after, limit)

    def forget(self, topic: str, partition: int, position: str) -> None:
        """See `Bus.forget`."""
        self._found().forget(topic, partition, position)

    def lag(self, topic: str, partition: int, after: str) -> int:
        """See `Bus.lag`."""
        return self._found().lag(topic, partition, after)

    def close(self) -> None:
        """Close what was found."""
        if self._bus is not None:
            self._bus.close()

    def _found(self) -> Bus:
        if self._bus is None:
            raise Unavailable("no bus is known yet: set redis.url or bus.url, or start what brings one")
        return self._bus
