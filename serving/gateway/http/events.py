"""Server-sent events on their way: whole events go on at once, the beginning of one waits for its end.

So an engine that breaks off within an event never leaves half a JSON object in front of our error event.
"""

from __future__ import annotations

MAX_HELD = 1 << 20
"""Bytes held of one event; beyond it they pass as they come."""


class EventGate:
    """Splits a stream at the ends of events; what goes in comes out, byte for byte."""

    __slots__ = ("_held", "ended")

    def __init__(self) -> None:
        self._held = b""
        self.ended = False
        """Whether the final `data: [DONE]` has passed."""

    def feed(self, data: bytes) -> bytes:
        """What may go on now."""
        if self._held:
            data, self._held = self._held + data, b""
        if not data.endswith(b"\n\n"):
            cut = max(_after(data, b"\n\n"), _after(data, b"\r\n\r\n"))
            if len(data) - cut <= MAX_HELD:
                data, self._held = data[:cut], data[cut:]
        if b"[DONE]" in data[-32:]:
            self.ended = True
        return data

    def rest(self) -> bytes:
        """What is left at the end of a complete stream."""
        held, self._held = self._held, b""
        return held


def _after(data: bytes, mark: bytes) -> int:
    return data.rfind(mark) + len(mark) if mark in data else 0
