"""The far end of the pipe, spoken to byte by byte."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from feedback.events import Event
from feedback.outbox.apart.frames import CLOSE, EVENT, HELLO, RAW, STORE, FrameReader, OutboxTold, framed, packed
from feedback.outbox.apart.server import OutboxServer, assembling
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from tests.feedback.child import event
from tests.feedback.outbox.conftest import bus_at, nowhere

Assemble = Callable[[bytes], Event | None]


def spoken(
    folder: Path, sent: bytes, config: OutboxConfig, cut: bool = False, assemble: Assemble = lambda body: None
) -> list[OutboxTold]:
    """What is told to whoever says `sent`, and then leaves at once (`cut`) or reads on."""
    ours, theirs = socket.socketpair()
    server = OutboxServer(theirs)
    ours.sendall(framed(HELLO, b"hello") + sent)
    if cut:
        ours.shutdown(socket.SHUT_WR)
    assert server.greeting() == b"hello"
    outbox = Outbox(folder, "gateway", bus_at(nowhere()), config, assembling(assemble), over=server.over)
    outbox.start()
    thread = threading.Thread(target=server.serve, args=(outbox, lambda: True))
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    theirs.close()
    reader, told = FrameReader(), []
    while data := ours.recv(1 << 16):
        told += [msgspec.msgpack.decode(frame.body, type=OutboxTold) for frame in reader.feed(data)]
    ours.close()
    return told


@pytest.mark.parametrize("cut", [False, True])
def test_all_that_was_heard_is_over_in_the_end_and_answered(cut: bool, tmp_path: Path) -> None:
    sent = framed(EVENT, packed(event(1))) + framed(RAW, b"x") + framed(STORE, packed(event(2)), 9)
    told = spoken(tmp_path, sent + (b"" if cut else framed(CLOSE, b"0.1")), OutboxConfig(), cut)
    assert told[-1].settled == 3
    assert [answer for one in told for answer in one.answers] == [(9, "")]
    assert told[-1].stats is not None
    assert (told[-1].stats["stored"], told[-1].stats["queued"]) == (2, 0)


def test_what_its_queue_has_no_room_for_is_over_too(tmp_path: Path) -> None:
    told = spoken(tmp_path, framed(RAW, b"x" * 100) + framed(CLOSE, b"0.1"), OutboxConfig(queue_bytes=99))
    assert told[-1].settled == 1
    assert told[-1].stats is not None
    assert told[-1].stats["dropped"]["queue"] == 1


def test_who_leaves_before_saying_anything_is_not_served() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    assert OutboxServer(theirs).greeting() == b""
    theirs.close()


@pytest.mark.parametrize("cut", [False, True])
def test_what_takes_longer_than_publishing_may_is_stored_all_the_same(cut: bool, tmp_path: Path) -> None:
    def slow(body: bytes) -> Event:
        time.sleep(0.05)
        return event(int(body))

    sent = b"".join(framed(RAW, str(n).encode()) for n in range(40))
    told = spoken(tmp_path, sent + (b"" if cut else framed(CLOSE, b"0.1")), OutboxConfig(), cut, slow)
    assert told[-1].stats is not None
    assert (told[-1].settled, told[-1].stats["stored"]) == (40, 40)


def test_what_cannot_be_read_is_counted_and_the_next_is_taken(tmp_path: Path) -> None:
    sent = framed(EVENT, b"Odd\0{}") + framed(STORE, b"Kpi\0{", 3) + framed(EVENT, packed(event(1)))
    told = spoken(tmp_path, sent + framed(CLOSE, b"0.1"), OutboxConfig())
    assert told[-1].stats is not None
    assert (told[-1].settled, told[-1].stats["stored"], told[-1].stats["dropped"]["assemble"]) == (3, 1, 2)
    ((number, why),) = (answer for one in told for answer in one.answers)
    assert (number, bool(why)) == (3, True)
