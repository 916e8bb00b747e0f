"""Parts of a body, joined as they come: many small ones would hold twenty times their bytes."""

from __future__ import annotations


def joined(held: bytes | bytearray, part: bytes) -> bytes | bytearray:
    """`held` and `part`; the first part is kept as it is, and more are appended in place."""
    if not held:
        return part
    if not isinstance(held, bytearray):
        held = bytearray(held)
    held += part
    return held
