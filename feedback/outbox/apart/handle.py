"""What a process has of its outbox in another: it hands over without waiting, and hears what became of it.

What is handed over goes out some milliseconds later, together with what came meanwhile; it is held until the outbox
says that it is over, so that the bounds are those of `OutboxConfig`. Where the outbox's process dies, what it had and
had not told about is counted as dropped (it may be on the disk nevertheless), and another one is started.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from feedback.events import Event
from feedback.outbox.apart.figures import OutboxFigures
from feedback.outbox.apart.frames import EVENT, NOBODY, RAW, STORE, OutboxTold, framed, packed
from feedback.outbox.apart.pipe import OutboxPipe, Start
from feedback.outbox.config import OutboxConfig
from understudy.errors import Unavailable

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.02
"""How long what is handed over waits for others, unless somebody waits for the disk."""
LONGEST_PAUSE = 5.0
"""Seconds before a process that died again and again is replaced; the first time 0.1, and twice as long each time."""
LIVED_SECONDS = 10.0
"""A process that lived so long did not die of how it was started."""
STORE_SECONDS = 4.0
"""How long a process that ends is waited for, beside what is allowed for publishing."""
OnAnswer = Callable[[str], None]
"""Is told why an item was not stored, or nothing."""


class OutboxHandle:
    """An outbox in a process of its own. `run` it on the event loop, which alone may call the other methods.

    `greeting` is what the process has to know; `pack` makes bytes of an item that is no event, which its outbox
    assembles. `bus_known`: whether there is a bus before the process has said so.
    """

    def __init__(
        self, start: Start, greeting: bytes, config: OutboxConfig, pack: Callable[[Any], bytes], bus_known: bool
    ) -> None:
        self._start, self._greeting, self._config, self._pack = start, greeting, config, pack
        self.bus_known = bus_known
        """Whether events have a bus to go to."""
        self._figures = OutboxFigures()
        self._frames: deque[bytes] = deque()
        """Not sent yet."""
        self._held: deque[tuple[int, int]] = deque()
        """Bytes and number of all that is not over: first what the process has at least a part of, then `_frames`."""
        self._bytes = 0
        self._waiting: dict[int, OnAnswer] = {}
        self._number = NOBODY
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._blocked = False
        self._settled = 0
        self._ended = asyncio.Event()
        self._began = 0.0
        self._pipe = self._open()

    @property
    def pid(self) -> int | None:
        """Of the process that has told something; None while there is none."""
        return self._pipe.pid if self._pipe is not None and self._pipe.heard else None

    def put(self, item: Any, *, refused: Callable[[], None] | None = None) -> bool:
        """Take an event, or whatever the process assembles one of; False: dropped and counted.

        `refused` is called where the spool turns out to have no room for it.
        """
        try:
            kind, body = (EVENT, packed(item)) if isinstance(item, Event) else (RAW, self._pack(item))
        except Exception as error:
            # Whatever a request may hold, its reply must not suffer from it.
            log.warning("what is to be recorded could not be packed: %r", error)
            self._figures.drop("assemble")
            return False
        return self._offer(kind, body, None if refused is None else lambda why: refused() if why else None)

    def store(self, event: Event) -> Future[None]:
        """Take an event; the future ends when it is on disk, or with Unavailable: it is not, or nobody knows."""
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()

        def answered(why: str) -> None:
            if why:
                done.set_exception(Unavailable(why))
            else:
                done.set_result(None)

        if self._offer(STORE, packed(event), answered):
            self._flush()
        else:
            answered("the outbox is full; try again in a moment")
        return done

    def stats(self) -> dict[str, Any]:
        """As `Outbox.stats`, up to a quarter of a second old; `dropped` has what died with a process, too."""
        return self._figures.told(len(self._held), self.pid is not None)

    async def run(self) -> None:
        """Send, hear, and replace a process that died, until cancelled."""
        self._loop = asyncio.get_running_loop()
        pause = 0.1
        while True:
            if self._pipe is None:
                self._pipe = self._open()
            if (pipe := self._pipe) is not None:
                await self._served(pipe)
                self._take(pipe.hear()[0])
                self._pipe = None
                self._lose(pipe)
                self.bus_known = self.bus_known and pipe.heard
                pipe.leave()
                code = await asyncio.to_thread(pipe.reap, STORE_SECONDS)
                how = "still stores what it has" if code is None else f"ended ({code})"
                log.error("the process of the outbox %s: another one is started", how)
            pause = 0.1 if time.monotonic() - self._began > LIVED_SECONDS else min(LONGEST_PAUSE, 2 * pause)
            await asyncio.sleep(pause)

    def close(self, timeout: float = 3.0) -> None:
        """Have everything stored, and published within `timeout` seconds; the event loop need not run any more.

        A process that takes longer goes on by itself.
        """
        code: int | None = None
        if (pipe := self._pipe) is not None:
            self._pipe = None
            self._take(pipe.finish(self._frames, timeout, timeout + STORE_SECONDS))
            pipe.leave()
            code = pipe.reap(STORE_SECONDS if not self._held else 0.1)
        if self._held:
            how = "still stores" if pipe is not None and code is None else "has not stored"
            log.error("the process of the outbox %s %d events", how, len(self._held))
        self._frames.clear()
        self._lose(None)

    async def _served(self, pipe: OutboxPipe) -> None:
        """Exchange what there is with a process, until it ends."""
        assert self._loop is not None
        self._ended.clear()
        self._loop.add_reader(pipe.socket, self._hear, pipe)
        try:
            self._flush()
            await self._ended.wait()
        finally:
            self._loop.remove_reader(pipe.socket)
            self._loop.remove_writer(pipe.socket)
            self._blocked = False

    def _offer(self, kind: int, body: bytes, answered: OnAnswer | None) -> bool:
        size = len(body)
        if len(self._held) >= self._config.queue or self._bytes + size > self._config.queue_bytes:
            self._figures.drop("queue")
            return False
        number = NOBODY
        if answered is not None:
            number = self._number = self._number + 1
            self._waiting[number] = answered
        self._frames.append(framed(kind, body, number))
        self._held.append((size, number))
        self._bytes += size
        if self._timer is None and self._loop is not None and not self._blocked:
            self._timer = self._loop.call_later(GATHER_SECONDS, self._flush)
        return True

    def _open(self) -> OutboxPipe | None:
        """A process; without one, where it cannot be started, what comes is held for the next."""
        self._began, self._settled = time.monotonic(), 0
        try:
            return OutboxPipe(self._start, self._greeting)
        except OSError as error:
            log.error("the process of the outbox cannot be started: %s", error)
            return None

    def _flush(self) -> None:
        """Send what there is; what the pipe does not take goes when it does."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pipe is None or self._loop is None:
            return
        try:
            self._pipe.send(self._frames)
        except BlockingIOError:
            if not self._blocked:
                self._loop.add_writer(self._pipe.socket, self._flush)
            self._blocked = True
        except OSError:
            self._ended.set()
        else:
            if self._blocked:
                self._loop.remove_writer(self._pipe.socket)
            self._blocked = False

    def _hear(self, pipe: OutboxPipe) -> None:
        told, gone = pipe.hear()
        self._take(told)
        if gone:
            self._ended.set()

    def _take(self, told: Iterable[OutboxTold]) -> None:
        for one in told:
            for number, why in one.answers:
                self._answer(number, why)
            for _ in range(one.settled - self._settled):
                self._waiting.pop(self._over(), None)
            self._settled = one.settled
            self.bus_known = one.bus_known
            if one.stats is not None:
                self._figures.take(one.stats)

    def _answer(self, number: int, why: str) -> None:
        if (answered := self._waiting.pop(number, None)) is not None:
            answered(why)

    def _over(self) -> int:
        """Let go of what has been held for longest; its number."""
        size, number = self._held.popleft()
        self._bytes -= size
        return number

    def _lose(self, pipe: OutboxPipe | None) -> None:
        """What a process had that is gone: counted, and told to whoever waits for any of it."""
        if pipe is not None:
            self._frames.extendleft(reversed(pipe.unsent()))
        lost = len(self._held) - len(self._frames)
        for _ in range(lost):
            self._answer(
                self._over(), "the outbox ended before it said whether this is stored; sending it again does no harm"
            )
        self._figures.ended(lost)
