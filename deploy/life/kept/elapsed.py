"""Time that passes for deadlines: no clock that somebody sets moves it, and a restarted controller goes on with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ValidationError

from understudy.clock import Clock, boot_id, boottime
from understudy.files import write_atomic

NOTE = 10.0
"""Seconds between two notes, which is what a restart of the machine loses at most."""


class ElapsedNote(BaseModel):
    """`total` seconds had passed when `boottime` stood at `boottime` in the boot `boot`."""

    boot: str
    boottime: float
    total: float


class Elapsed:
    """A clock in seconds, noted at `path`; it goes on while no controller runs, and stands while the machine is off."""

    def __init__(self, path: Path, clock: Clock = boottime, boot: Callable[[], str] = boot_id) -> None:
        self._path = path
        self._clock = clock
        self._boot = boot()
        now = clock()
        note = self._read()
        self._total = 0.0 if note is None else note.total
        if note is not None and self._boot and note.boot == self._boot:
            self._total += max(0.0, now - note.boottime)
        self._from = now
        self._noted: float | None = None

    def __call__(self) -> float:
        """Seconds that have passed."""
        return self._total + self._clock() - self._from

    def at_least(self, total: float) -> None:
        """Go on from `total` where the note is older, or lost."""
        self._total += max(0.0, total - self())

    def note(self) -> None:
        """Write down where the clock stands, now and then; called on ticks. A disk without room is no obstacle."""
        now = self._clock()
        if self._noted is not None and now - self._noted < NOTE:
            return
        self._noted = now
        note = ElapsedNote(boot=self._boot, boottime=now, total=self())
        with contextlib.suppress(OSError):
            write_atomic(self._path, note.model_dump_json() + "\n")

    def _read(self) -> ElapsedNote | None:
        try:
            return ElapsedNote.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None
