"""Keeps a lease while its leader works: renews it in a thread of its own, so that a long tick does not lose it.

A process that is stopped renews nothing, and a leader whose ticks do not end is not renewed for ever either.
"""

from __future__ import annotations

import logging
import threading

from deploy.control.lease import LeaseStore
from understudy.clock import Clock, boottime

log = logging.getLogger("understudy.controller")
RENEW = 1.0
"""Seconds between two renewals."""
STUCK = 120.0
"""Seconds after which a leader that did not come by counts as stuck."""


class LeaseKeeper:
    """Renews `lease` until it is lost, `close`, or the leader is stuck; the leader says that it works by `alive`."""

    def __init__(self, lease: LeaseStore, clock: Clock = boottime) -> None:
        self._lease = lease
        self._clock = clock
        self._came_by = self._renewed = clock()
        self._lost = False
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="lease", daemon=True)

    def start(self) -> None:
        """Renew from now on."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether this process leads still; asked before each thing that it does as the leader.

        One that was stopped asks the lease itself before it goes on.
        """
        now = self._clock()
        self._came_by = now
        if not self._lost and now - self._renewed > 2 * RENEW:
            self._renew()
        return not self._lost

    def close(self) -> None:
        """Renew no longer."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _work(self) -> None:
        while not self._end.wait(RENEW) and not self._lost:
            if self._clock() - self._came_by <= STUCK:
                self._renew()
            else:
                log.error("no tick has ended for %d s; the lease is renewed no more", STUCK)

    def _renew(self) -> None:
        with self._lock:
            if self._lost or not self._lease.renew():
                self._lost = True
            else:
                self._renewed = self._clock()
