"""The bus behind one Protocol: numbered events of a spool, in partitions by session.

Redis Streams and Kafka implement it. Everything blocks and has a deadline; callers are threads of
their own (outbox, consumer), never a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from feedback.events import DEAD_LETTER, EXCHANGES, EXPOSURES, KPIS
from understudy.ids import stable_id

PARTITIONS = 256
"""The most that a topic may have."""
CONSUMED = (EXCHANGES, EXPOSURES, KPIS)
"""Topics that a worker consumes: full, they refuse. The others keep what fits and forget the oldest."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event of a spool: `number` counts up by one within (spool, topic, partition)."""

    number: int
    key: str
    value: bytes


Place = tuple[str, int]
"""A topic and a partition of it."""


@dataclass(frozen=True, slots=True)
class Published:
    """How far the bus holds the spool's events: all up to `highest`; `state` tells why not further.

    `refused`: the next one would never be taken; `why` says so.
    """

    highest: int
    state: Literal["ok", "full", "gap", "refused"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What the bus holds of one spool in one partition, asked now."""

    life: str
    """Changes whenever the bus may have gone back: a restart, another leader."""
    highest: int | None
    """The highest number; None: it cannot tell, so what the spool has should be sent again."""
    sure: bool = False
    """Whether others hold it as well, so that it need not be asked again."""


@dataclass(frozen=True, slots=True)
class Received:
    """An event read from the bus; `position` is where to go on after it."""

    position: str
    spool: str
    number: int
    value: bytes
    key: str = ""
    """Session of the event; empty where who sent it gave none."""
    at: float = 0.0
    """Seconds since the epoch when the bus took it, by its own clock."""
    first: int = 0
    """The number with which the write began that it came by. Where numbers from there on were not read, that write
    failed and comes again whole; numbers missing before it are gone for good. 0: so are all that are missing."""


class Bus(Protocol):
    """Topics of `partitions` partitions each."""

    partitions: int

    def publish(self, topic: str, partition: int, spool: str, batch: Sequence[Numbered]) -> Published:
        """Append events, in order. What the bus knows already changes nothing.

        `gap`: the bus misses numbers before the batch, which should be sent first, or skipped.

        Raises:
            understudy.errors.Unavailable: the bus is away; how much of the batch it holds is unknown.
        """
        ...

    def held(self, spool: str, places: Sequence[Place]) -> dict[Place, Held]:
        """What the bus holds of `spool` in each of `places` now; without those that cannot be asked, which wait.

        Raises:
            understudy.errors.Unavailable: the bus is away.
        """
        ...

    def skip(self, topic: str, partition: int, spool: str, number: int) -> None:
        """The numbers up to `number` are gone for good: no gap, when the next one comes.

        Raises:
            understudy.errors.Unavailable: the bus is away.
        """
        ...

    def width(self, topic: str) -> int:
        """Partitions to read: ours, and those in which events were left when there were more.

        Raises:
            understudy.errors.Unavailable: the bus is away.
        """
        ...

    def bound(self, topic: str) -> int:
        """Bytes that the value of one event may have, as far as the bus has said."""
        ...

    def read(self, topic: str, partition: int, after: str, limit: int) -> list[Received]:
        """Up to `limit` events after the position `after` ("" is the beginning), waiting little or not at all.

        Raises:
            understudy.errors.Unavailable: the bus is away.
        """
        ...

    def forget(self, topic: str, partition: int, position: str) -> None:
        """Everything up to `position` has had its effects; the bus may drop it."""
        ...

    def lag(self, topic: str, partition: int, after: str) -> int:
        """Events after `after`."""
        ...

    def close(self) -> None:
        """Let go of connections and threads."""
        ...


def partition_of(session: str, partitions: int) -> int:
    """Partition of a session: the same in every process."""
    return int(stable_id("partition", session)[:8], 16) % partitions


def refuses_when_full(topic: str) -> bool:
    """Whether a full topic refuses writes rather than forget what nobody has consumed."""
    return topic in CONSUMED and not topic.endswith(DEAD_LETTER)
