"""A process of an outbox, and our end of the pipe to it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable

import msgspec

from feedback.outbox.apart.frames import CLOSE, HELLO, FrameReader, OutboxTold, framed

SENT_BYTES = 1 << 18
"""About as much goes to the pipe in one call."""
CHUNK = 1 << 16
Start = Callable[[socket.socket], "subprocess.Popen[bytes]"]
"""Starts the process; it has the socket as its end of the pipe."""


class OutboxPipe:
    """Starts a process and greets it. Nothing here waits but `finish` and `reap`.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, start: Start, greeting: bytes) -> None:
        self.socket, theirs = socket.socketpair()
        try:
            self._process = start(theirs)
        except OSError:
            self.socket.close()
            raise
        finally:
            theirs.close()
        self.socket.setblocking(False)
        self._reader = FrameReader()
        self._began: list[bytes] = []
        """The frames of `_rest`, as long as none of it was sent."""
        self._rest = memoryview(framed(HELLO, greeting))
        self.heard = False
        """Whether the process has told anything yet."""

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, frames: deque[bytes]) -> None:
        """Take frames off the left and send them.

        Raises:
            BlockingIOError: there is no room for more now.
            OSError: nobody is there any more.
        """
        while self._rest or frames:
            if not self._rest:
                self._began = _some(frames)
                self._rest = memoryview(b"".join(self._began))
            self._rest = self._rest[self.socket.send(self._rest) :]
            self._began = []

    def unsent(self) -> list[bytes]:
        """Frames that were taken, of which nobody has a byte."""
        return self._began

    def hear(self) -> tuple[list[OutboxTold], bool]:
        """What the process told since, and whether it is gone."""
        told: list[OutboxTold] = []
        try:
            while data := self.socket.recv(CHUNK):
                told += self._told(data)
        except BlockingIOError:
            return told, False
        except OSError:
            pass
        return told, True

    def finish(self, frames: deque[bytes], publish: float, timeout: float) -> list[OutboxTold]:
        """Send all that is left, and have it stored, and published for `publish` seconds; what was told meanwhile."""
        end = time.monotonic() + timeout
        told: list[OutboxTold] = []
        self.socket.settimeout(timeout)
        frames.append(framed(CLOSE, str(publish).encode()))
        try:
            self.send(frames)
            while (left := end - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not (data := self.socket.recv(CHUNK)):
                    break
                told += self._told(data)
        except OSError:
            pass
        return told

    def leave(self) -> None:
        """Let go of the pipe: the process stores what it has heard, and ends."""
        self.socket.close()

    def reap(self, timeout: float) -> int | None:
        """How the process ended; None where it had not within `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def _told(self, data: bytes) -> list[OutboxTold]:
        told = [msgspec.msgpack.decode(frame.body, type=OutboxTold) for frame in self._reader.feed(data)]
        self.heard = self.heard or bool(told)
        return told


def _some(frames: deque[bytes]) -> list[bytes]:
    taken, size = [], 0
    while frames and size < SENT_BYTES:
        taken.append(frames.popleft())
        size += len(taken[-1])
    return taken
