"""Spools that no process fills any more: what is in them goes to the bus all the same."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from feedback.bus.protocol import Bus
from feedback.outbox.config import OutboxConfig
from feedback.outbox.producer import Producer
from feedback.outbox.spool import HELD_SECONDS, Spool, once_free
from understudy.errors import Conflict

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks whether a spool is empty, or a bus is known."""


def left_names(folder: Path, name: str, workers: int) -> list[str]:
    """Names of spools of those workers of the gateway `name` that it had when it had more than `workers`."""
    numbers = [re.fullmatch(rf"{re.escape(name)}-(\d+)", path.stem) for path in folder.glob(f"{name}-*.db")]
    return [f"{name}-{number}" for number in sorted(int(one[1]) for one in numbers if one) if number > workers]


class LeftSpools:
    """Empties the spools `names` in `folder`, one after the other; what another process holds is left to it.

    `find` opens a bus for one of them; None while there is none.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], find: Callable[[], Bus | None], config: OutboxConfig
    ) -> None:
        self._folder = folder
        self._names = names
        self._find = find
        self._config = config
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="left-spools", daemon=True)

    def start(self) -> None:
        """Start the thread, where there is anything to empty."""
        if self._names:
            self._thread.start()

    def close(self, timeout: float) -> None:
        """Stop; what is left is left to the next start."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        until = time.monotonic() + HELD_SECONDS
        for name in self._names:
            opened = partial(Spool, self._folder / f"{name}.db", self._config.spool_bytes)
            try:
                spool = once_free(opened, until, self._closing.wait)
                self._empty(name, spool)
            except Conflict:
                continue
            except Exception as error:  # whatever it is: the other spools may be emptied
                log.warning("the spool %s, which nobody fills any more, cannot be emptied: %s", name, error)

    def _empty(self, name: str, spool: Spool) -> None:
        try:
            if not spool.places() or not spool.bytes:
                return
            log.info("emptying the spool %s, which nobody fills any more", name)
            while (bus := self._find()) is None:
                if self._closing.wait(LOOK):
                    return
            producer = Producer(spool, bus, self._config.keep_seconds)
            producer.start()
            while spool.bytes and not self._closing.wait(LOOK):
                pass
            producer.close(0.5)
            bus.close()
        finally:
            spool.close()
