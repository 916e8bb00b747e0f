"""Memory that forked processes share, a place each."""

from __future__ import annotations

import mmap
import os
import signal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.telemetry.board import Board

WRITES = st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=64)), max_size=30)


@given(WRITES)
def test_each_place_has_what_was_written_there_last(writes: list[tuple[int, bytes]]) -> None:
    board, last = Board(3, 64), {0: b"", 1: b"", 2: b""}
    for place, data in writes:
        assert board.write(place, data)
        last[place] = data
        assert {place: board.read(place) for place in last} == last


def test_what_is_too_long_changes_nothing() -> None:
    board = Board(1, 4)
    assert board.write(0, b"four")
    assert not board.write(0, b"seven..")
    assert board.read(0) == b"four"


def test_beats_of_a_process_are_counted_beside_what_is_written_there() -> None:
    board = Board(2, 4)
    child = os.fork()
    if child == 0:
        for _ in range(300):
            board.beat(1)
        os._exit(0)
    os.waitpid(child, 0)
    assert board.write(1, b"four")
    assert (board.beats(0), board.beats(1), board.read(0), board.read(1)) == (0, 300, b"", b"four")


class Torn:
    """Memory whose writer ends in the middle of a write."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory

    def __getitem__(self, place: Any) -> Any:
        return self._memory[place]

    def __setitem__(self, place: slice, data: bytes) -> None:
        half = len(data) // 2
        self._memory[place.start : place.start + half] = data[:half]
        raise KeyboardInterrupt


def test_a_write_that_does_not_end_leaves_what_was_there() -> None:
    board = Board(1, 64)
    for last in (b"one", b"two", b"three"):
        board.write(0, last)
        whole, board._memory = board._memory, Torn(board._memory)  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            board.write(0, b"what takes longer")
        board._memory = whole
        assert board.read(0) == last


def test_what_a_killed_process_wrote_stays_and_is_never_read_in_part() -> None:
    board = Board(2, 1 << 16)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        number = 0
        while True:
            number += 1
            board.write(1, bytes([number % 256]) * (1 + number % 60_000))
            if number == 50:
                os.write(writer, b".")
    assert os.read(reader, 1) == b"."
    seen = [board.read(1) for _ in range(200)]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for data in [*seen, board.read(1)]:
        assert data == data[:1] * len(data) != b""
    assert board.write(1, b"of its successor")
    assert (board.read(0), board.read(1)) == (b"", b"of its successor")
    os.close(reader)
    os.close(writer)
