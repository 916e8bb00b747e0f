"""What a body holds while it is on its way."""

from __future__ import annotations

import sys

from serving.gateway.body.joining import joined


def test_many_small_parts_hold_little_more_than_their_bytes() -> None:
    held: bytes | bytearray = b""
    for _ in range(100_000):
        held = joined(held, b"ab")
    assert bytes(held) == b"ab" * 100_000
    assert sys.getsizeof(held) < 2 * 200_000


def test_a_single_part_is_not_copied() -> None:
    part = b"x" * 100
    assert bytes(joined(b"", part)) is part
