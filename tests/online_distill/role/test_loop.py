"""The loop waits for what is away and says it once; a stop ends the process in order, and soon in any case."""

from __future__ import annotations

import logging
import os
import signal
import threading

import pytest

from online_distill.role import loop as module
from online_distill.role.context import Stopped
from online_distill.role.loop import install_stop, loop
from tests.waiting import eventually
from understudy.errors import Unavailable


def test_it_ticks_until_stopped_and_says_what_is_away_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    stop, ticks = threading.Event(), list[int]()

    def tick() -> None:
        ticks.append(len(ticks))
        if len(ticks) == 5:
            stop.set()
        if len(ticks) in (1, 2, 4):
            raise Unavailable("no Redis")

    loop(tick, stop, 0.0)
    assert len(ticks) == 5
    assert caplog.record_tuples == [("understudy.trainer", logging.WARNING, "no Redis")] * 2


def test_a_stage_that_was_stopped_ends_the_loop() -> None:
    def tick() -> None:
        raise Stopped("asked to")

    loop(tick, threading.Event(), 60.0)


def test_a_signal_stops_and_ends_a_process_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.05)
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop, codes = threading.Event(), list[int]()
    try:
        install_stop(stop, codes.append)
        os.kill(os.getpid(), signal.SIGTERM)
        eventually(stop.is_set, 60, "the stop")
        eventually(lambda: codes == [0], 60, "the end")
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    assert (stop.is_set(), codes) == (True, [0])
