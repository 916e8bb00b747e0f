"""From a request's end to the bus without the request waiting: queue -> spool -> producer thread.

`put` is called on the event loop and only appends to a bounded queue. One thread assembles,
redacts, numbers and stores; another publishes. What finds the thread idle waits 5 ms for
others, unless somebody waits for the disk. What is assembled is committed 10 ms later at the latest,
or, where the disk is slow, after twice the time of a commit, however much waits behind it. Every drop
is counted by its reason.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback.bus.protocol import Bus, partition_of
from feedback.events import (
    EXCHANGES,
    EXPOSURES,
    HARD,
    KPIS,
    VERDICTS,
    Event,
    Exchange,
    Exposure,
    HardSample,
    Kpi,
    Verdict,
)
from feedback.outbox.config import OutboxConfig
from feedback.outbox.delays import CommitDelays
from feedback.outbox.producer import Producer
from feedback.outbox.spool import OVERHEAD, Entry, Spool
from feedback.privacy.redact import Redaction
from feedback.privacy.vault import FOLDER, Purged, Vault
from understudy.clock import Clock, monotonic
from understudy.errors import TooLarge, Unavailable
from understudy.files import kept_secret
from understudy.ids import random_id

log = logging.getLogger(__name__)

BATCH = 256
"""Events of one commit at most."""
COMMIT_SECONDS = 0.01
"""How long a commit waits for further events to be assembled: what is in memory alone is lost in a kill. Where commits
take longer than half of it, twice as long as the last one: on a slow disk most of the time still goes into events."""
GATHER_SECONDS = 0.005
"""How long what finds the thread idle waits for others, unless somebody waits for the disk: a commit costs far more
than an event in it."""
TOPIC_OF: dict[type[Event], str] = {
    Exchange: EXCHANGES, Exposure: EXPOSURES, Verdict: VERDICTS, HardSample: HARD, Kpi: KPIS,
}  # fmt: skip
REASONS = ("queue", "spool", "assemble", "size", "purged")
"""Why an event may be lost before the spool has it."""
OnRefusal = Callable[[], None]
Assemble = Callable[[Any], Event | None]
"""Makes the event of a raw item, in the outbox's thread; None means there is nothing to keep."""
Over = Callable[[int], None]
"""Is told, in the outbox's thread, that so many items more are over: stored, dropped, or nothing to keep."""


@dataclass(slots=True)
class _Item:
    raw: Any
    size: int
    at: float
    topic: str = ""
    key: str = ""
    done: Future[None] | None = None
    refused: OnRefusal | None = None


class Outbox:
    """The way of one process's events to the bus. Start it, put, close it.

    `name` is unique among the processes of a state directory; its file is `folder/name.db`.
    """

    def __init__(
        self, folder: Path, name: str, bus: Bus, config: OutboxConfig, assemble: Assemble | None = None,
        clock: Clock = monotonic, over: Over = lambda count: None,
    ) -> None:  # fmt: skip
        self.name = name
        self._config = config
        self._clock = clock
        self._assemble = assemble
        self._over = over
        self._partitions = bus.partitions
        self._spool = Spool(folder / f"{name}.db", config.spool_bytes)
        self._redaction = Redaction(kept_secret(folder / "pseudonym.key", random_id))
        self.vault = Vault(folder / FOLDER)
        """Under whose keys all texts of this state directory are stored."""
        self._producer = Producer(self._spool, bus, config.keep_seconds)
        self._queue: deque[_Item] = deque()
        self._queued_bytes = 0
        self._wake = threading.Event()
        self._urgent = threading.Event()  # nothing gains by waiting for others
        self._closing = False
        self._refused = False
        self._mutex = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self.dropped = dict.fromkeys(REASONS, 0)
        """Events lost so far, by reason."""
        self.stored = 0
        self._delays = CommitDelays()
        self._took = 0.0

    def start(self) -> None:
        """Start both threads."""
        self._thread.start()
        self._producer.start()

    def put(self, item: Any, size: int = 0, refused: OnRefusal | None = None) -> bool:
        """Take an event, or whatever `assemble` makes one of; never blocks. False: dropped and counted.

        `size` is roughly what the item holds in memory, in bytes; what is not above `event_bytes` is
        taken for an event that is not. `refused` is called, in the outbox's thread, where the spool has no room for
        what was taken.
        """
        return self._offer(_Item(item, size, self._clock(), refused=refused))

    def store(self, event: Any) -> Future[None]:
        """Take an event, or whatever `assemble` makes one of; never blocks. The future ends when the event is on disk,
        or with Unavailable: it is not."""
        return self._stored(_Item(event, 0, self._clock(), done=_promise()))

    def put_durable(self, event: Event, timeout: float = 5.0) -> None:
        """Take an event and return once it is on disk. Blocks: not for an event loop, which awaits `store`.

        Raises:
            Unavailable: it could not be stored in `timeout` seconds.
        """
        _wait(self.store(event), timeout)

    def put_raw(self, topic: str, session: str, value: bytes, timeout: float = 5.0) -> None:
        """`put_durable` of bytes as they are, for dead letters."""
        _wait(self._stored(_Item(value, len(value), self._clock(), topic=topic, key=session, done=_promise())), timeout)

    def counts(self) -> dict[str, Any]:
        """Those of `stats` that an item which is over has changed."""
        return {"stored": self.stored, "pending": self._producer.pending(), "dropped": dict(self.dropped)}

    def stats(self) -> dict[str, Any]:
        """Counters and levels, for metrics and status."""
        return {
            **self.counts(),
            "queued": len(self._queue),
            "published": self._producer.published,
            "lost": self._producer.lost,
            "dead": self._producer.dead,
            "oldest_seconds": round(self._producer.age(), 3),
            "per_second": round(self._producer.rate(), 3),
            "spool_bytes": self._spool.bytes,
            "bus_up": self._producer.up,
            "alive": self._thread.is_alive() and self._producer.alive(),
            **self._delays.told(),
        }

    def close(self, timeout: float = 3.0, store: float = 0.0) -> None:
        """Store what is queued, within `timeout` seconds or `store` where that is longer, publish what the bus takes
        within `timeout` seconds, let go of the spool."""
        self._closing = True
        self._urgent.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(max(timeout, store))
        self._producer.close(timeout)
        if not self._thread.is_alive() and not self._producer.alive():
            self._spool.close()

    def _stored(self, item: _Item) -> Future[None]:
        assert item.done is not None
        if not self._offer(item):
            item.done.set_exception(Unavailable("the outbox is full; try again in a moment"))
        return item.done

    def _offer(self, item: _Item) -> bool:
        config = self._config
        with self._mutex:
            full = len(self._queue) >= config.queue or self._queued_bytes + item.size > config.queue_bytes
            if full or self._closing:
                self.dropped["queue"] += 1
                return False
            self._queue.append(item)
            self._queued_bytes += item.size
            waiting = len(self._queue)
        if item.done is not None or waiting >= BATCH:
            self._urgent.set()
        if not self._wake.is_set():
            self._wake.set()
        return True

    def _run(self) -> None:
        while True:
            if self._wake.wait(1.0):
                self._urgent.wait(GATHER_SECONDS)
            self._urgent.clear()
            self._wake.clear()
            while (item := self._take()) and self._store(item):
                pass
            if self._closing and not self._queue:
                return

    def _take(self) -> _Item | None:
        with self._mutex:
            if not self._queue:
                return None
            item = self._queue.popleft()
            self._queued_bytes -= item.size
        return item

    def _store(self, first: _Item) -> bool:
        """Commit `first` with what is assembled within the next moment; whether more waited then."""
        entries: list[Entry] = []
        taken = 0
        owners: list[_Item] = []
        item: _Item | None = first
        end = self._clock() + max(COMMIT_SECONDS, 2 * self._took)
        while item is not None:
            taken += 1
            entry = self._entry(item)
            if entry is not None:
                entries.append(entry)
                owners.append(item)
            elif item.done is not None:
                item.done.set_exception(Unavailable("the event is too large, or could not be assembled"))
            full = len(entries) >= BATCH or self._clock() >= end
            item = None if full else self._take()
        if entries:
            self._commit(entries, owners)
        self._over(taken)
        return full

    def _commit(self, entries: list[Entry], owners: list[_Item]) -> None:
        refusal = "the spool is full: the bus has been away for too long"
        began = self._clock()
        try:
            stored = self._spool.append(entries)
            self._refused = False
        except Exception as error:
            # Whatever befell this batch, the thread must go on with the next one.
            refusal = f"the spool cannot be written ({error})"
            if not self._refused:
                log.error("%s: events are dropped until it can", refusal, exc_info=not isinstance(error, sqlite3.Error))
            self._refused = True
            stored = [False] * len(entries)
        self._took = self._clock() - began
        for item, kept in zip(owners, stored, strict=True):
            self._settle(item, kept, refusal)
        self._producer.wake()

    def _settle(self, item: _Item, kept: bool, refusal: str) -> None:
        if kept:
            self.stored += 1
            self._delays.add(self._clock() - item.at)
        else:
            if item.refused is not None:
                item.refused()
            self.dropped["spool"] += 1
        if item.done is None:
            return
        if kept:
            item.done.set_result(None)
        else:
            item.done.set_exception(Unavailable(refusal))

    def _entry(self, item: _Item) -> Entry | None:
        try:
            made = self._serialised(item)
        except TooLarge:
            self.dropped["size"] += 1
            return None
        except Purged:
            self.dropped["purged"] += 1
            return None
        except Exception as error:
            # Whatever a request may hold, the thread must go on with the next one.
            log.warning("an exchange could not be assembled: %r", error)
            self.dropped["assemble"] += 1
            return None
        return made

    def _serialised(self, item: _Item) -> Entry | None:
        if item.topic:
            return Entry(item.topic, partition_of(item.key, self._partitions), item.key, self._within(item.raw))
        event = item.raw
        if not isinstance(event, Event):
            event = self._assemble(event) if self._assemble else event
        if event is None:
            return None
        if item.size > self._config.event_bytes:
            self._within(_json(event))
        if isinstance(event, Exchange):
            event = self._redaction.exchange(event)
        elif isinstance(event, Exposure):
            event = self._redaction.exposure(event)
        elif isinstance(event, Kpi):
            event = self._redaction.kpi(event)
        place = partition_of(event.session, self._partitions)
        return Entry(TOPIC_OF[type(event)], place, event.session, self._within(self.vault.seal(event)))

    def _within(self, value: bytes) -> bytes:
        if len(value) + OVERHEAD > self._config.event_bytes:
            raise TooLarge(f"an event may have {self._config.event_bytes} bytes at most")
        return value


def late() -> Unavailable:
    """What to say where an event was not stored in the time that its sender waits."""
    return Unavailable("the event was not stored in time; sending it again does no harm")


def _promise() -> Future[None]:
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()  # who waits no more cannot take back what was put
    return done


def _wait(done: Future[None], timeout: float) -> None:
    try:
        done.result(timeout)
    except TimeoutError:
        raise late() from None


def _json(event: Event) -> bytes:
    return event.model_dump_json(exclude_none=True).encode()
