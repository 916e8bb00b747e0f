"""What a process has of its outbox in another: it hands over without waiting, and hears what became of it.

What is handed over goes out some milliseconds later, together with what came meanwhile; it is held until the outbox
says that it is over, so that the bounds are those of `OutboxConfig`. Where the outbox's process dies, what it had and
had not told about is counted as dropped (it may be on the disk nevertheless), and another one is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec

from feedback.events import Event
from feedback.outbox.apart.figures import OutboxFigures
from feedback.outbox.apart.frames import (
    CLOSE,
    EVENT,
    HELLO,
    NOBODY,
    RAW,
    STORE,
    FrameReader,
    OutboxTold,
    framed,
    packed,
)
from feedback.outbox.config import OutboxConfig
from understudy.errors import Unavailable

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.02
"""How long what is handed over waits for others, unless somebody waits for the disk."""
SENT_BYTES = 1 << 18
"""About as much goes to the pipe in one call."""
CHUNK = 1 << 16
LONGEST_PAUSE = 5.0
"""Seconds before a process that died again and again is replaced; the first time 0.1, and twice as long each time."""
LIVED_SECONDS = 10.0
"""A process that lived so long did not die of how it was started."""
STORE_SECONDS = 4.0
"""How long a process that ends may take to store what it has, beside what is allowed for publishing."""
Start = Callable[[socket.socket], "subprocess.Popen[bytes]"]
"""Starts the process; it has the socket as its end of the pipe."""
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
        self._launch, self._greeting, self._config, self._pack = start, greeting, config, pack
        self.bus_known = bus_known
        """Whether events have a bus to go to."""
        self._figures = OutboxFigures()
        self._frames: deque[bytes] = deque()
        """Not sent yet."""
        self._held: deque[tuple[int, int]] = deque()
        """Bytes and number of all that is not over; of the first `_sent` the process has at least a part."""
        self._sent = self._bytes = 0
        self._waiting: dict[int, OnAnswer] = {}
        self._number = NOBODY
        self._rest = memoryview(b"")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._blocked = False
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: socket.socket | None = None
        self._reader = FrameReader()
        self._settled = 0
        self._heard = False
        """Whether the process has told anything yet."""
        self._ended = asyncio.Event()
        self._began = 0.0
        self._open()

    def put(self, item: Any, size: int = 0, refused: Callable[[], None] | None = None) -> bool:
        """Take an event, or whatever the process assembles one of; False: dropped and counted.

        `refused` is called where the spool turns out to have no room for it. `size` is of no use here.
        """
        number = NOBODY if refused is None else self._awaited(lambda why: refused() if why else None)
        if isinstance(item, Event):
            return self._offer(EVENT, packed(item), number)
        return self._offer(RAW, self._pack(item), number)

    def store(self, event: Event) -> Future[None]:
        """Take an event; the future ends when it is on disk, or with Unavailable: it is not, or nobody knows."""
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()

        def answered(why: str) -> None:
            if why:
                done.set_exception(Unavailable(why))
            else:
                done.set_result(None)

        number = self._awaited(answered)
        if self._offer(STORE, packed(event), number):
            self._flush()
        else:
            done.set_exception(Unavailable("the outbox is full; try again in a moment"))
        return done

    def stats(self) -> dict[str, Any]:
        """As `Outbox.stats`, up to a quarter of a second old; `dropped` has what died with a process, too."""
        return self._figures.told(len(self._held), self._pipe is not None)

    async def run(self) -> None:
        """Send, hear, and replace a process that died, until cancelled."""
        loop = self._loop = asyncio.get_running_loop()
        pause = 0.1
        while True:
            if self._pipe is None:
                self._open()
            if (pipe := self._pipe) is not None:
                self._ended.clear()
                loop.add_reader(pipe, self._hear)
                self._flush()
                try:
                    await self._ended.wait()
                finally:
                    loop.remove_reader(pipe)
                    loop.remove_writer(pipe)
                    self._blocked = False
                code = self._leave(1.0)
                log.error("the process of the outbox ended (%s): another one is started", code)
                self._lose()
                self.bus_known = self.bus_known and self._heard
            pause = 0.1 if time.monotonic() - self._began > LIVED_SECONDS else min(LONGEST_PAUSE, 2 * pause)
            await asyncio.sleep(pause)

    def close(self, timeout: float = 3.0) -> None:
        """Have everything stored, and published within `timeout` seconds; the event loop need not run any more."""
        end = time.monotonic() + timeout + STORE_SECONDS
        if (pipe := self._pipe) is not None:
            pipe.settimeout(timeout + STORE_SECONDS)
            with contextlib.suppress(OSError):
                for part in (bytes(self._rest), *self._frames, framed(CLOSE, str(timeout).encode())):
                    pipe.sendall(part)
                while time.monotonic() < end and (data := pipe.recv(CHUNK)):
                    self._take(data)
        code = self._leave(max(0.1, end - time.monotonic()))
        if self._held:
            log.error("the process of the outbox ended (%s) before it had stored %d events", code, len(self._held))
        self._frames.clear()
        self._sent = len(self._held)
        self._lose()

    def _awaited(self, answered: OnAnswer) -> int:
        self._number += 1
        self._waiting[self._number] = answered
        return self._number

    def _offer(self, kind: int, body: bytes, number: int) -> bool:
        size = len(body)
        if len(self._held) >= self._config.queue or self._bytes + size > self._config.queue_bytes:
            self._figures.drop("queue")
            self._waiting.pop(number, None)
            return False
        self._frames.append(framed(kind, body, number))
        self._held.append((size, number))
        self._bytes += size
        if self._timer is None and self._loop is not None and not self._blocked:
            self._timer = self._loop.call_later(GATHER_SECONDS, self._flush)
        return True

    def _open(self) -> None:
        """Start a process; without one, where that fails, what comes is held for the next."""
        ours, theirs = socket.socketpair()
        self._began = time.monotonic()
        try:
            self._process = self._launch(theirs)
        except OSError as error:
            ours.close()
            log.error("the process of the outbox cannot be started: %s", error)
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._pipe, self._reader, self._settled, self._heard = ours, FrameReader(), 0, False
        self._rest = memoryview(framed(HELLO, self._greeting))

    def _flush(self) -> None:
        """Send what there is; what the pipe does not take goes when it does."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pipe is None or self._loop is None:
            return
        try:
            while self._rest or self._frames:
                if not self._rest:
                    self._rest = memoryview(self._next())
                self._rest = self._rest[self._pipe.send(self._rest) :]
        except BlockingIOError:
            if not self._blocked:
                self._loop.add_writer(self._pipe, self._flush)
            self._blocked = True
            return
        except OSError:
            self._ended.set()
            return
        if self._blocked:
            self._loop.remove_writer(self._pipe)
            self._blocked = False

    def _next(self) -> bytes:
        """Some of the frames in one piece; they count as sent."""
        taken, size = [], 0
        while self._frames and size < SENT_BYTES:
            taken.append(self._frames.popleft())
            size += len(taken[-1])
        self._sent += len(taken)
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _hear(self) -> None:
        assert self._pipe is not None
        try:
            data = self._pipe.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(data)
        else:
            self._ended.set()

    def _take(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            told = msgspec.msgpack.decode(frame.body, type=OutboxTold)
            for number, why in told.answers:
                if (answered := self._waiting.pop(number, None)) is not None:
                    answered(why)
            for _ in range(told.settled - self._settled):
                self._waiting.pop(self._over(), None)
            self._settled = told.settled
            if told.stats is not None:
                self._figures.take(told.stats)
                self.bus_known, self._heard = told.bus_known, True

    def _over(self) -> int:
        """Let go of what has been held for longest; its number."""
        size, number = self._held.popleft()
        self._bytes -= size
        self._sent -= 1
        return number

    def _lose(self) -> None:
        """What a process had that is gone: counted, and told to whoever waits for any of it."""
        lost = self._sent
        for _ in range(lost):
            if (answered := self._waiting.pop(self._over(), None)) is not None:
                answered("the outbox ended before it said whether this is stored; sending it again does no harm")
        self._figures.ended(lost)

    def _leave(self, timeout: float) -> int | None:
        """Let go of the pipe and the process; how that ended."""
        if self._pipe is not None:
            self._pipe.close()
        self._pipe, self._rest = None, memoryview(b"")
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
