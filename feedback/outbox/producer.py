"""The thread that carries events from the spool to the bus, in order, for as long as it takes."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque

from feedback.bus.protocol import Bus, Numbered, Place, partition_of
from feedback.events import DEAD_LETTER
from feedback.letters import letters
from feedback.outbox.lane import Lane
from feedback.outbox.spool import Entry, Spool
from understudy.errors import Unavailable

log = logging.getLogger(__name__)

BATCH = 500
ROUND_SECONDS = 0.1
"""From the beginning of a round to that of the next, unless it left something behind: a call costs far more than an
event in it, and what waits is on the disk."""
ASK_SECONDS = 0.5
"""How often the bus is asked what it holds, while the spool holds something."""
QUIET_SECONDS = 3.0
"""The same, while it holds nothing: a bus that went back is found out then too."""
RATE_SECONDS = 10.0
ALL_AWAY_SECONDS = 2.0
"""The longest pause while the bus takes nothing at all."""
ONE_AWAY_SECONDS = 15.0
"""The longest pause of one partition while others go on."""


class Producer:
    """Publishes the events of `spool`, and forgets each when the bus is believed to hold it for good.

    The bus is asked at the start, after each failure, and every half second while the spool holds
    something: for each partition, which number it holds (`Lane`). What it forgot in a crash is sent again.
    """

    def __init__(self, spool: Spool, bus: Bus, keep: float) -> None:
        self._spool = spool
        self._bus = bus
        self._keep = keep
        self._lanes: dict[Place, Lane] = {}
        self._silent: set[Place] = set()
        """Partitions that cannot be asked what they hold; what is sent there might pass events that they lost."""
        self._asked: float | None = None
        self._behind = False
        """Whether the last round left more than it sent of what was there when it began."""
        self._pause, self._until = 0.05, 0.0
        self._heard = 0.0
        self._recent: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._end = 0.0
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self.published = 0
        self.lost = 0
        """Numbers that the bus misses and the spool has no more."""
        self.dead = 0
        """Events that the bus refused for good; they are dead letters."""
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
        if not self._wake.is_set():
            self._wake.set()

    def pending(self) -> int:
        """Events that the bus does not hold yet."""
        lanes = self._lanes.copy()
        waiting = (last - (lanes[place].sent if place in lanes else 0) for place, last in self._spool.last.items())
        return sum(max(0, events) for events in waiting)

    def close(self, timeout: float) -> None:
        """Publish what is left for at most `timeout` seconds, then end."""
        self._end = time.monotonic() + timeout
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout + 0.5)

    def age(self) -> float:
        """Seconds for which the oldest event has waited that the bus does not hold; 0 without one."""
        now = time.monotonic()
        return max((lane.age(now) for lane in self._lanes.copy().values()), default=0.0)

    def rate(self) -> float:
        """Events a second that the bus took over the last ten seconds or so."""
        at, published = self._recent[0]
        return (self.published - published) / max(1.0, time.monotonic() - at)

    def _run(self) -> None:
        while True:
            began, closing = time.monotonic(), self._closing.is_set()
            self._wake.clear()
            try:
                progress = self._round()
                self._pause, self._until = 0.05, 0.0
            except Exception as error:
                # The thread must outlive any fault; what it did not send is in the spool.
                self._fail(error)
                self._pause = min(ALL_AWAY_SECONDS, self._pause * 2)
                self._until = time.monotonic() + self._pause
                progress = False
            if closing and (not progress or time.monotonic() > self._end):
                return
            if not self._behind and not self._closing.is_set():
                self._rest(began, progress)

    def _rest(self, began: float, progress: bool) -> None:
        """After a round: let events come together, then wait for the first, or until one that failed may be tried."""
        self._closing.wait(max(0.0, began + ROUND_SECONDS - time.monotonic()))
        if self.up:
            self._wake.wait(ASK_SECONDS)
        elif not progress:
            self._closing.wait(max(0.05, self._next() - time.monotonic()))

    def _next(self) -> float:
        """When something may be tried again that failed, on the monotonic clock."""
        return max(self._until, min((lane.until for lane in self._lanes.values()), default=0.0))

    def _fail(self, error: Exception) -> None:
        if self.up:
            expected = isinstance(error, Unavailable | sqlite3.Error)
            log.warning("events wait in the spool: %s", error, exc_info=None if expected else error)
        self.up = False
        self._asked = None

    def _round(self) -> bool:
        """One batch of each partition; whether any went out. A partition that fails holds up no other."""
        self._behind = False
        places = {(topic, part): last for topic, part, last in self._spool.places()}
        self._open_lanes(places)
        now = time.monotonic()
        self._ask(list(places), now)
        progress, failed = False, None
        for place, last in places.items():
            lane = self._lanes[place]
            late = self._closing.is_set() and time.monotonic() > self._end
            if lane.sent >= last or late or lane.until > now or place in self._silent:
                continue
            try:
                sent = self._send(place, lane)
                progress |= sent
                self._behind |= sent and lane.sent < last
                lane.worked()
            except Unavailable as error:
                failed = failed or error
                lane.failed(time.monotonic(), ONE_AWAY_SECONDS if progress else ALL_AWAY_SECONDS)
        if failed is not None:
            self._fail(failed)
        else:
            self.up = not self._silent and all(lane.until <= now for lane in self._lanes.values())
        return progress

    def _open_lanes(self, places: dict[Place, int]) -> None:
        now = time.monotonic()
        for place, last in places.items():
            if place not in self._lanes:
                self._lanes[place] = Lane(self._spool.first(*place) - 1)
                self._asked = None
            self._lanes[place].arrived(last, now)

    def _ask(self, places: list[Place], now: float) -> None:
        """Hear from the bus what it holds, where that is due; the spool forgets what it may."""
        due = ASK_SECONDS if self._spool.bytes else QUIET_SECONDS
        if self._asked is not None and now - self._asked < due:
            return
        answers = self._bus.held(self._spool.id, places)
        self._silent = {place for place in places if place not in answers}
        # Silence in between does not count: a server that was stopped meanwhile has put nothing on its disk.
        self._heard += min(now - self._asked, 2 * QUIET_SECONDS) if self._asked is not None else 0.0
        self._asked = now
        for place, held in answers.items():
            first = self._spool.first(*place)
            believed, gone = self._lanes[place].heard(held, first, self._heard, self._keep)
            if gone:
                self._bus.skip(*place, self._spool.id, first - 1)
                self.lost += gone
                log.error("the bus lost %d events before number %d of %s:%d for good", gone, first, *place)
            if believed >= first:
                self._spool.delete(*place, believed)
        self._recent.append((now, self.published))
        if self._recent[0][0] < now - RATE_SECONDS:
            self._recent.popleft()

    def _send(self, place: Place, lane: Lane) -> bool:
        batch = self._spool.batch(*place, lane.sent, BATCH)
        if not batch:
            lane.sent = self._spool.first(*place) - 1
            return False
        answer = self._bus.publish(*place, self._spool.id, batch)
        if answer.state == "gap":
            self._asked = None  # it went back: asked what it holds, it tells where to go on
            return True
        after, lane.sent = lane.sent, max(lane.sent, min(answer.highest, batch[-1].number))
        self.published += lane.sent - after
        if answer.state == "refused":
            refused = next(event for event in batch if event.number == lane.sent + 1)
            self._bury(place, refused, answer.why)
            return True
        return lane.sent > after

    def _bury(self, place: Place, event: Numbered, why: str) -> None:
        """What no retry would cure becomes a dead letter; its number is still told, so that no gap is left."""
        topic, _ = place
        made = letters(
            topic, event.key, event.value, why, spool=self._spool.id, number=event.number,
            limit=self._bus.bound(topic + DEAD_LETTER),
        )  # fmt: skip
        home = partition_of(event.key, self._bus.partitions)
        self._spool.bury(*place, event.number, [Entry(topic + DEAD_LETTER, home, event.key, part) for part in made])
        self.dead += 1
        log.error("event %d of %s:%d goes to the dead letters: %s", event.number, *place, why)
