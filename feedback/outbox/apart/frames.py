"""What travels between a process and its outbox: frames of bytes one way, what became of them the other.

A frame has a head of 13 bytes: the length of its body, what it is, and the number by which an answer calls it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from feedback.events import Event
from feedback.outbox.outbox import TOPIC_OF

HEAD = struct.Struct("<IBQ")
HELLO, RAW, EVENT, STORE, CLOSE, TOLD = range(6)
"""What it begins with; an item that is assembled later; an event; one whose sender waits for the disk; the end; and,
the other way, a `OutboxTold`."""
NOBODY = 0
"""The number of what nobody waits for."""
EVENTS: dict[bytes, type[Event]] = {kind.__name__.encode(): kind for kind in TOPIC_OF}
OutboxStats = dict[str, Any]


class Frame(NamedTuple):
    """One message."""

    kind: int
    number: int
    body: bytes


class OutboxTold(msgspec.Struct, array_like=True, gc=False):
    """What an outbox says of itself."""

    settled: int
    """Items that are over since it began, whatever became of them; in the order of their coming."""
    answers: tuple[tuple[int, str], ...] = ()
    """Numbers of those that are waited for, each with why it was not stored, or nothing."""
    stats: OutboxStats | None = None
    """What counts up by what came, each time; all of `Outbox.stats`, a few times a second."""
    bus_known: bool = False


def framed(kind: int, body: bytes, number: int = NOBODY) -> bytes:
    """A frame as bytes."""
    return HEAD.pack(len(body), kind, number) + body


def packed(event: Event) -> bytes:
    """An event as the body of a frame."""
    return type(event).__name__.encode() + b"\0" + event.model_dump_json(exclude_none=True).encode()


def unpacked(body: bytes) -> Event:
    """The event of a body."""
    name, _, text = body.partition(b"\0")
    return EVENTS[name].model_validate_json(text)


class FrameReader:
    """Cuts what comes in into frames."""

    def __init__(self) -> None:
        self._left = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` ends."""
        self._left += data
        at = 0
        try:
            while len(self._left) - at >= HEAD.size:
                length, kind, number = HEAD.unpack_from(self._left, at)
                start, end = at + HEAD.size, at + HEAD.size + length
                if len(self._left) < end:
                    break
                at = end
                yield Frame(kind, number, bytes(self._left[start:end]))
        finally:
            del self._left[:at]
