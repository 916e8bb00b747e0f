"""The thread that carries events from the spool to the bus, in order, for as long as it takes."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque

from feedback.bus.protocol import Bus
from feedback.outbox.spool import Place, Spool
from understudy.errors import Unavailable

log = logging.getLogger(__name__)

BATCH = 500


class Producer:
    """Publishes the events of `spool`, and forgets each `keep` seconds after the bus took it.

    Kept that long, an event that the bus forgot in a crash (Redis syncs once a second) is sent
    again: the bus answers a number too high for it with a gap, and the thread goes back.
    """

    def __init__(self, spool: Spool, bus: Bus, keep: float) -> None:
        self._spool = spool
        self._bus = bus
        self._keep = keep
        self._sent: dict[Place, int] = {}
        self._marks: deque[tuple[float, Place, int]] = deque()
        self._force: set[Place] = set()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._end = 0.0
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self.published = 0
        self.up = True
        """Whether the bus took the last batch."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """There are new events."""
        self._wake.set()

    def pending(self) -> int:
        """Events that the bus does not hold yet."""
        return sum(last - self._sent.get(place, 0) for place, last in self._spool.last.items())

    def close(self, timeout: float) -> None:
        """Publish what is left for at most `timeout` seconds, then end."""
        self._end = time.monotonic() + timeout
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout + 0.5)

    def _run(self) -> None:
        pause = 0.05
        while True:
            try:
                progress = self._round()
                self._forget()
                self.up = True
                pause = 0.05
            except Exception as error:
                # The thread must outlive any fault of the bus; what it did not send is in the spool.
                if self.up:
                    expected = isinstance(error, Unavailable | sqlite3.Error)
                    log.warning("events wait in the spool: %s", error, exc_info=None if expected else error)
                self.up = False
                progress = False
                pause = min(2.0, pause * 2)
            if self._closing.is_set() and (not progress or time.monotonic() > self._end):
                return
            if not progress and not self._closing.is_set():
                self._wake.wait(0.5 if self.up else pause)
                self._wake.clear()
                if not self.up:
                    self._closing.wait(pause)

    def _before_first(self, place: Place, last: int) -> int:
        first = self._spool.batch(*place, 0, 1)
        return first[0].number - 1 if first else last

    def _round(self) -> bool:
        """One batch of each partition; whether any went out."""
        progress = False
        places = {(topic, part): last for topic, part, last in self._spool.places()}
        for place in places.keys() - self._sent.keys():
            self._sent[place] = self._before_first(place, places[place])
        for place, last in places.items():
            late = self._closing.is_set() and time.monotonic() > self._end
            if self._sent[place] < last and not late:
                progress |= self._send(place)
        return progress

    def _send(self, place: Place) -> bool:
        after = self._sent.get(place, 0)
        batch = self._spool.batch(*place, after, BATCH)
        if not batch:
            self._sent[place] = next(n for t, p, n in self._spool.places() if (t, p) == place)
            return False
        answer = self._bus.publish(*place, self._spool.id, batch, force=place in self._force)
        if answer.state == "gap":
            # Either the bus lost its last moments, and they are here, or those numbers are gone for good.
            older = self._spool.batch(*place, answer.highest, 1)
            if older and older[0].number == answer.highest + 1:
                self._sent[place] = answer.highest
            else:
                log.warning("the bus misses events before number %d of %s, which are gone", batch[0].number, place)
                self._force.add(place)
            return True
        self._force.discard(place)
        reached = min(answer.highest, batch[-1].number)
        self._sent[place] = max(after, reached)
        if reached > after:
            self.published += reached - after
            self._marks.append((time.monotonic(), place, reached))
        return reached > after

    def _forget(self) -> None:
        while self._marks and self._marks[0][0] < time.monotonic() - self._keep:
            _, place, number = self._marks.popleft()
            self._spool.delete(*place, min(number, self._sent.get(place, 0)))
