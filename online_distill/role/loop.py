"""Ticks until stopped, and how a process of the role ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from online_distill.role.context import Stopped
from understudy.errors import Unavailable

log = logging.getLogger("understudy.trainer")
STOP_SECONDS = 3.0
"""After this a stop does not wait for the step under way; the round resumes from its last checkpoint."""
RETRY_SECONDS = 5.0


def loop(tick: Callable[[], object], stop: threading.Event, poll_seconds: float) -> None:
    """Tick until stopped, every `poll_seconds`; parts that are away are waited for, and said once."""
    said = ""
    while not stop.is_set():
        pause = poll_seconds
        try:
            tick()
            said = ""
        except Stopped:
            return
        except Unavailable as error:
            if error.message != said:
                log.warning(error.message)
            said, pause = error.message, RETRY_SECONDS
        stop.wait(pause)


def install_stop(stop: threading.Event, exit_now: Callable[[int], object] = os._exit) -> None:
    """Let SIGTERM and SIGINT end the process in order, and soon in any case."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()
        timer = threading.Timer(STOP_SECONDS, exit_now, args=(0,))
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
