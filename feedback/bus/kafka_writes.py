"""Which write an event came by, so that a write of which only the end arrived is told from events that are gone.

A producer that meets time-outs may have the end of a write in the log and not its beginning, whatever it promises of
order within a session. Such a write failed and is repeated whole: what arrived of it has to be passed over.
"""

from __future__ import annotations


class WriteStarts:
    """Of one partition, read in the order of its offsets from `offset` on. Offsets of our topics count up by one."""

    def __init__(self, offset: int) -> None:
        self._next = offset
        self._seen: set[str] | None = None
        """Spools met since offsets were left out, as when the broker's retention was faster than the reader."""

    def first(self, offset: int, spool: str, number: int, began: int) -> int:
        """The number with which the write of an event began; its own where those before it are gone for good.

        `began` is what the event says of it, 0: nothing. Where the log was cut before an event nobody writes again
        what was there.
        """
        if offset > self._next:
            self._seen = set()
        self._next = offset + 1
        if self._seen is not None and spool not in self._seen:
            self._seen.add(spool)
            return number
        return began or number
