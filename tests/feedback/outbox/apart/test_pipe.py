"""Our end of the pipe, with a process that does nothing and another end that the test holds."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator

import msgspec
import pytest

from feedback.outbox.apart.frames import CLOSE, HELLO, RAW, TOLD, Frame, FrameReader, OutboxTold, framed
from feedback.outbox.apart.pipe import OutboxPipe


class FarSide:
    """What a started process would hold."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None

    def start(self, pipe: socket.socket) -> subprocess.Popen[bytes]:
        self.socket = pipe.dup()
        return subprocess.Popen([sys.executable, "-c", ""])


@pytest.fixture
def far() -> Iterator[FarSide]:
    side = FarSide()
    yield side
    if side.socket is not None:
        side.socket.close()


def read(side: FarSide) -> list[Frame]:
    assert side.socket is not None
    side.socket.settimeout(0.2)
    reader, found = FrameReader(), []
    try:
        while data := side.socket.recv(1 << 20):
            found += reader.feed(data)
    except TimeoutError:
        pass
    return found


def test_a_greeting_comes_first_and_frames_in_their_order(far: FarSide) -> None:
    pipe = OutboxPipe(far.start, b"hello")
    frames = deque(framed(RAW, b"%d" % n) for n in range(1000))
    pipe.send(frames)
    assert not frames
    found = read(far)
    assert found[0] == Frame(HELLO, 0, b"hello")
    assert [frame.body for frame in found[1:]] == [b"%d" % n for n in range(1000)]
    pipe.leave()
    assert pipe.reap(60) == 0


def test_what_the_pipe_does_not_take_is_kept_and_sent_on(far: FarSide) -> None:
    pipe = OutboxPipe(far.start, b"")
    frames = deque(framed(RAW, bytes([n]) * 100_000) for n in range(50))
    with pytest.raises(BlockingIOError):
        pipe.send(frames)
    assert frames, "what waits"
    assert far.socket is not None
    reader, found = FrameReader(), []
    while len(found) < 51:
        found += reader.feed(far.socket.recv(1 << 20))
        with contextlib.suppress(BlockingIOError):
            pipe.send(frames)
    assert [frame.body[:1] for frame in found[1:]] == [bytes([n]) for n in range(50)]
    pipe.leave()
    pipe.reap(60)


def test_frames_of_which_nobody_has_a_byte_can_go_to_another_process(far: FarSide) -> None:
    pipe = OutboxPipe(far.start, b"")
    pipe.send(deque())
    assert far.socket is not None
    far.socket.close()
    frames = deque([framed(RAW, b"1"), framed(RAW, b"2")])
    with pytest.raises(OSError):
        pipe.send(frames)
    assert pipe.unsent() == [framed(RAW, b"1"), framed(RAW, b"2")]
    assert pipe.hear() == ([], True)
    pipe.leave()
    pipe.reap(60)


def test_all_that_was_told_before_the_end_is_heard_at_once(far: FarSide) -> None:
    pipe = OutboxPipe(far.start, b"")
    assert (pipe.hear(), pipe.heard) == (([], False), False)
    assert far.socket is not None
    for n in range(1000):
        far.socket.sendall(framed(TOLD, msgspec.msgpack.encode(OutboxTold(n))))
        if n % 100 == 99:
            assert [one.settled for one in pipe.hear()[0]][-1] == n
    far.socket.sendall(framed(TOLD, msgspec.msgpack.encode(OutboxTold(9999))))
    far.socket.close()
    told, gone = pipe.hear()
    assert ([one.settled for one in told], gone, pipe.heard) == ([9999], True, True)
    pipe.leave()
    pipe.reap(60)


def test_the_end_is_told_with_what_is_left(far: FarSide) -> None:
    pipe = OutboxPipe(far.start, b"")
    assert pipe.finish(deque([framed(RAW, b"last")]), 0.25, 0.1) == []
    assert read(far)[1:] == [Frame(RAW, 0, b"last"), Frame(CLOSE, 0, b"0.25")]
    pipe.leave()
    pipe.reap(60)


def test_what_cannot_be_started_leaves_nothing_open() -> None:
    def start(pipe: socket.socket) -> subprocess.Popen[bytes]:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        OutboxPipe(start, b"")
