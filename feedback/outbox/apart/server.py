"""The far end of the pipe: an outbox that takes what comes, and tells what became of it.

It ends when it is told to, or when whoever it serves is gone: then it stores what it has heard first.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import msgspec

from feedback.events import Event
from feedback.outbox.apart.frames import (
    CLOSE,
    NOBODY,
    RAW,
    STORE,
    TOLD,
    Frame,
    FrameReader,
    OutboxStats,
    OutboxTold,
    framed,
    unpacked,
)
from feedback.outbox.outbox import Outbox

CHUNK = 1 << 18
TELL_SECONDS = 0.25
"""Between two tellings of the figures."""
PUBLISH_SECONDS = 0.5
"""How long events are published once nobody is served any more; the rest goes out at the next start."""
STORE_SECONDS = 120.0
"""How long what was heard may take to be stored then."""


def assembling(assemble: Callable[[bytes], Event | None]) -> Callable[[Frame], Event | None]:
    """For `Outbox(assemble=...)`: makes the event of a frame, by `assemble` where it holds none."""
    return lambda frame: assemble(frame.body) if frame.kind == RAW else unpacked(frame.body)


class OutboxServer:
    """Serves one pipe. `greeting` comes first; then `serve`, with the outbox that was built by it."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._reader = FrameReader()
        self._readable = select.poll()
        self._readable.register(pipe, select.POLLIN)
        self._early: list[Frame] = []
        self._telling = threading.Lock()
        self._answers: list[tuple[int, str]] = []
        self._settled = 0
        self._outbox: Outbox | None = None
        self._bus_known = False

    def greeting(self) -> bytes:
        """The body of the first frame; empty where nobody is there."""
        while not self._early:
            data = self._pipe.recv(CHUNK)
            if not data:
                return b""
            self._early += self._reader.feed(data)
        return self._early.pop(0).body

    def over(self, count: int) -> None:
        """For `Outbox(over=...)`: so many items more are over. Called in the outbox's thread."""
        self._tell(None if self._outbox is None else self._outbox.counts(), count)

    def serve(self, outbox: Outbox, bus_known: Callable[[], bool]) -> None:
        """Take what comes until the end, then close the outbox. `bus_known` is asked a few times a second."""
        publish, self._outbox, self._bus_known = PUBLISH_SECONDS, outbox, bus_known()
        told = 0.0
        try:
            data: bytes | None = b""
            while data is not None:
                for frame in [*self._early, *self._reader.feed(data)]:
                    if frame.kind == CLOSE:
                        publish = float(frame.body)
                        return
                    self._take(outbox, frame)
                self._early = []
                now = time.monotonic()
                if now - told >= TELL_SECONDS:
                    told, self._bus_known = now, bus_known()
                    self._tell(outbox.stats())
                data = self._heard()
        finally:
            outbox.close(publish, STORE_SECONDS)
            self._tell(outbox.stats())

    def _heard(self) -> bytes | None:
        """What came in the next moment; None: nobody is there any more."""
        if not self._readable.poll(TELL_SECONDS * 1000):
            return b""
        try:
            return self._pipe.recv(CHUNK) or None
        except ConnectionError:
            return None

    def _take(self, outbox: Outbox, frame: Frame) -> None:
        """What it holds is read in the outbox's thread, as `assembling` has it."""
        if frame.kind == STORE:
            outbox.store(frame).add_done_callback(partial(self._stored, frame.number))
            return
        refused = None if frame.number == NOBODY else partial(self._answer, frame.number, "refused")
        if not outbox.put(frame, len(frame.body), refused):
            self.over(1)

    def _stored(self, number: int, done: Future[None]) -> None:
        error = done.exception()
        self._answer(number, "" if error is None else str(error))

    def _answer(self, number: int, why: str) -> None:
        """To be told with what is over next."""
        with self._telling:
            self._answers.append((number, why))

    def _tell(self, stats: OutboxStats | None, over: int = 0) -> None:
        with self._telling:
            self._settled += over
            answers, self._answers = self._answers, []
            told = OutboxTold(self._settled, tuple(answers), stats, self._bus_known)
            with contextlib.suppress(OSError):  # whoever is gone need not be told
                self._pipe.sendall(framed(TOLD, msgspec.msgpack.encode(told)))
