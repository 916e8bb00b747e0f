"""An outbox in a process of its own: what it takes, what it tells, and what is left when either side is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

from feedback.events import KPIS, Kpi
from feedback.outbox.apart.handle import OutboxHandle
from feedback.outbox.config import OutboxConfig
from feedback.privacy.vault import FOLDER, Vault
from tests.feedback.child import event
from tests.feedback.outbox.apart.child import handle
from tests.feedback.outbox.conftest import bus_at, nowhere
from tests.waiting import LONG, eventually, hold
from understudy.errors import Unavailable
from understudy.process.children import ROOT

Open = Callable[..., OutboxHandle]


class Runner:
    """An event loop in a thread, on which one handle lives."""

    def __init__(self, made: OutboxHandle) -> None:
        self.handle = made
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._task: asyncio.Task[None] = self.call(lambda: self.loop.create_task(made.run()))

    def call(self, act: Callable[[], Any]) -> Any:
        async def on_loop() -> Any:
            return act()

        return asyncio.run_coroutine_threadsafe(on_loop(), self.loop).result(60)

    def end(self, timeout: float = 3.0) -> None:
        if self.loop.is_closed():
            return
        self.call(self._task.cancel)
        eventually(self._task.done)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.handle.close(timeout)
        self.loop.close()


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    made: list[Runner] = []

    def start(url: str, **config: Any) -> Runner:
        made.append(Runner(handle(tmp_path, url, **config)))
        return made[-1]

    yield start
    for one in made:
        one.end(0.1)


@pytest.fixture(autouse=True)
def _patient_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback.outbox.apart.handle.STORE_SECONDS", LONG)


def told(one: Runner, *names: str) -> tuple[Any, ...]:
    """Figures that were told at the same time."""
    stats = one.handle.stats()
    return tuple(stats[name] for name in names)


def on_the_bus(url: str, folder: Path) -> set[int]:
    bus, vault = bus_at(url), Vault(folder / FOLDER)
    return {
        int(vault.open(Kpi, got.value).value)
        for part in range(bus.partitions) for got in bus.read(KPIS, part, "", 10**6)
    }  # fmt: skip


def test_what_is_handed_over_reaches_the_bus_and_is_counted(
    begin: Callable[..., Runner], redis_url: str, tmp_path: Path
) -> None:
    one = begin(redis_url)
    for n in range(1, 301):
        assert one.call(lambda n=n: one.handle.put(n))
    assert one.call(lambda: one.handle.store(event(900))).result(60) is None
    for n in range(1001, 1011):
        one.call(lambda n=n: one.handle.put(n))
    eventually(lambda: told(one, "published", "queued", "pending") == (306, 0, 0))
    stats = one.handle.stats()
    assert (stats["stored"], stats["alive"]) == (306, True)
    assert set(stats["dropped"].values()) == {0}
    assert on_the_bus(redis_url, tmp_path) == {*range(1, 301), 900, *range(1002, 1011, 2)}


def test_what_is_handed_over_last_is_stored_when_everything_ends(begin: Callable[..., Runner], tmp_path: Path) -> None:
    one = begin(nowhere())
    one.call(lambda: [one.handle.put(n) for n in range(1, 501)])
    one.end(0.1)
    stats = one.handle.stats()
    assert (stats["queued"], stats["stored"], stats["alive"], set(stats["dropped"].values())) == (0, 500, False, {0})


def test_it_begins_before_its_loop_does_and_holds_what_comes(redis_url: str, tmp_path: Path) -> None:
    made = handle(tmp_path, redis_url)
    assert [made.put(n) for n in (1, 2)] == [True, True]
    made.close(LONG)
    assert made.stats()["stored"] == 2
    assert on_the_bus(redis_url, tmp_path) == {1, 2}


def test_what_a_process_that_does_not_move_may_hold_is_bounded(begin: Callable[..., Runner], redis_url: str) -> None:
    one = begin(redis_url, queue=50)
    eventually(lambda: one.handle.pid)
    pid = one.handle.pid
    hold(pid)
    taken = [one.call(lambda n=n: one.handle.put(n)) for n in range(1, 71)]
    assert taken == [True] * 50 + [False] * 20
    refused = one.call(lambda: one.handle.store(event(99)))
    with pytest.raises(Unavailable, match="full"):
        refused.result(0)
    assert (one.handle.stats()["queued"], one.handle.stats()["dropped"]["queue"]) == (50, 21)
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: one.handle.stats()["published"] == 50)
    eventually(lambda: one.call(lambda: one.handle.put(1)), what="room again")


def test_bytes_are_bounded_too(begin: Callable[..., Runner], redis_url: str) -> None:
    one = begin(redis_url, queue_bytes=3000)
    eventually(lambda: one.handle.pid)
    pid = one.handle.pid
    hold(pid)
    assert not one.call(lambda: one.handle.put("7" * 3001))
    assert one.call(lambda: one.handle.put("7" * 2000))
    assert not one.call(lambda: one.handle.put("7" * 1001))
    os.kill(pid, signal.SIGCONT)


def test_whoever_asked_hears_that_the_spool_had_no_room(begin: Callable[..., Runner]) -> None:
    one = begin(nowhere(), spool_bytes=1)
    refused: list[int] = []
    one.call(lambda: one.handle.put(event(1), refused=lambda: refused.append(1)))
    with pytest.raises(Unavailable, match="spool is full"):
        one.call(lambda: one.handle.store(event(2))).result(60)
    eventually(lambda: refused == [1])
    eventually(lambda: one.handle.stats()["dropped"]["spool"] == 2)
    assert one.handle._waiting == {}


def test_a_process_that_is_killed_is_replaced_and_what_it_had_is_counted(
    begin: Callable[..., Runner], redis_url: str, tmp_path: Path
) -> None:
    one = begin(redis_url)
    told: dict[int, bool] = {}
    number = 0

    def hand_over() -> None:
        nonlocal number
        for _ in range(20):
            number += 1
            stored = one.handle.store(event(number))
            stored.add_done_callback(lambda done, n=number: told.__setitem__(n, done.exception() is None))

    for killed in range(1, 4):
        eventually(lambda: one.handle.pid)
        pid = one.handle.pid
        before = one.handle.stats()["stored"]
        while one.handle.stats()["stored"] < before + 100:
            one.call(hand_over)
            time.sleep(0.002)
        hold(pid)  # so that it has something of which it never tells
        one.call(hand_over)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: one.handle.pid not in (pid, None))
        assert one.handle.stats()["dropped"]["process"] >= killed
    one.call(hand_over)
    eventually(lambda: len(told) == number)
    stats, stored = one.handle.stats(), {n for n, well in told.items() if well}
    eventually(lambda: stored <= on_the_bus(redis_url, tmp_path), what="on the bus what was called stored")
    assert stats["dropped"]["process"] + stats["dropped"]["queue"] == number - len(stored)
    assert max(stored) == number
    eventually(lambda: one.handle.stats()["queued"] == 0)


def test_a_death_is_noticed_although_nothing_is_handed_over_and_what_was_told_last_counts(
    begin: Callable[..., Runner], redis_url: str
) -> None:
    one = begin(redis_url)
    eventually(lambda: one.handle.pid)
    pid = one.handle.pid
    hold(pid)
    for n in range(200):  # of which it has not read all when it dies
        one.call(lambda n=n: one.handle.put("0" * 3000 + "7"))
    waiting = one.call(lambda: one.handle.store(event(5)))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: one.handle.pid not in (pid, None))
    assert waiting.result(60) is None, "the pipe had no room for it yet: the next process stores it"

    def counted() -> bool:
        stats = one.handle.stats()
        return stats["dropped"]["process"] + stats["stored"] == 201

    eventually(counted, what="the count of what was handed over")
    assert one.handle.stats()["dropped"]["process"] > 0


def test_what_cannot_be_packed_is_counted_and_harms_nobody(begin: Callable[..., Runner], redis_url: str) -> None:
    class Odd:
        def __str__(self) -> str:
            raise TypeError("no copy")

    one = begin(redis_url)
    assert not one.call(lambda: one.handle.put(Odd(), refused=lambda: None))
    assert (one.handle.stats()["dropped"]["assemble"], one.handle._waiting) == (1, {})


def test_when_whoever_owns_it_is_killed_it_stores_what_it_heard_and_ends(redis_url: str, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.feedback.outbox.apart.child", "owner", str(tmp_path), redis_url]
    owner = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    said = [int(owner.stdout.readline()) for _ in range(200)]
    (process,) = psutil.Process(owner.pid).children()
    owner.kill()
    said += map(int, owner.stdout.read().split())
    owner.wait()
    eventually(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    made = handle(tmp_path, redis_url)  # the spool is free
    made.put(10**6)
    made.close(LONG)
    assert set(said) <= on_the_bus(redis_url, tmp_path)


def test_what_cannot_be_started_is_said_and_holds_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def start(pipe: Any) -> Any:
        raise OSError("no room for a process")

    made = OutboxHandle(start, b"", OutboxConfig(queue=2), lambda item: item, True)
    assert "no room for a process" in caplog.text
    assert [made.put(b"1") for _ in range(3)] == [True, True, False]
    made.close()
    assert (made.stats()["alive"], made.stats()["dropped"]["process"]) == (False, 2)
