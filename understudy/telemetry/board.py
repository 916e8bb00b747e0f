"""Places in memory that a process shares with those it forks: each has one writer, and any process reads it whole.

The memory belongs to nobody's life: what a killed process wrote stays readable. Files and `multiprocessing`'s shared
memory were considered; they can be full or left behind, and this memory goes with the last process that has it.
"""

from __future__ import annotations

import mmap
import struct
import zlib

PLACE_BYTES = 4 << 20
"""Of what is written to a place at most; memory is taken only for what is written."""
TRIES = 100
_HEAD = struct.Struct("<II")
"""Length and checksum before what is written."""
_BEATS = struct.Struct("<Q")


class Board:
    """So many places; make it before the fork.

    Each place has two halves, written in turn, and one byte before them that says which one holds: it is set last, so
    that a kill in the middle of a write leaves the half before it. Before that stands how often its process has beaten.
    """

    def __init__(self, places: int, size: int = PLACE_BYTES) -> None:
        self.places = places
        self._size = size
        self._half = _HEAD.size + size
        self._each = _BEATS.size + 1 + 2 * self._half
        self._memory = mmap.mmap(-1, places * self._each)

    def beat(self, place: int) -> None:
        """Show that the process of `place` gets on."""
        _BEATS.pack_into(self._memory, place * self._each, self.beats(place) + 1)

    def beats(self, place: int) -> int:
        """How often that of `place` has; in the midst of a beat any other number."""
        return int(_BEATS.unpack_from(self._memory, place * self._each)[0])

    def write(self, place: int, data: bytes) -> bool:
        """Put `data` in the stead of what is there; False: it is too long, and nothing changed."""
        if len(data) > self._size:
            return False
        holds = 1 if self._memory[self._begin(place)] == 2 else 2
        at = self._at(place, holds)
        self._memory[at : at + _HEAD.size + len(data)] = _HEAD.pack(len(data), zlib.crc32(data)) + data
        self._memory[self._begin(place)] = holds
        return True

    def read(self, place: int) -> bytes:
        """What is there; empty before anything was written.

        Raises:
            RuntimeError: it is written faster than it can be read.
        """
        for _ in range(TRIES):
            holds = self._memory[self._begin(place)]
            if holds == 0:
                return b""
            at = self._at(place, holds)
            length, check = _HEAD.unpack(self._memory[at : at + _HEAD.size])
            data = self._memory[at + _HEAD.size : at + _HEAD.size + min(length, self._size)]
            if zlib.crc32(data) == check:
                return data
        raise RuntimeError(f"place {place} cannot be read: it changes all the time")

    def _begin(self, place: int) -> int:
        return place * self._each + _BEATS.size

    def _at(self, place: int, holds: int) -> int:
        return self._begin(place) + 1 + (holds - 1) * self._half
