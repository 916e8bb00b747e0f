"""Deadlines that are looked at together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.waiting import eventually_async
from understudy.process.alarms import TICK, Alarms


class Waiter:
    def __init__(self, then: Callable[[Waiter], None] = lambda _: None) -> None:
        self.at: list[float] = []
        self._then = then

    def alarm(self) -> None:
        self.at.append(asyncio.get_running_loop().time())
        self._then(self)


def test_each_is_called_once_in_its_time_and_not_before() -> None:
    async def run() -> None:
        alarms, waiters = Alarms(), [Waiter() for _ in range(5)]
        began = asyncio.get_running_loop().time()
        for place, waiter in enumerate(waiters):
            alarms.set(waiter, 0.1 * (5 - place))
        await eventually_async(lambda: all(waiter.at for waiter in waiters))
        await asyncio.sleep(4 * TICK)
        assert [len(waiter.at) for waiter in waiters] == [1] * 5
        for place, waiter in enumerate(waiters):
            assert waiter.at[0] - began >= 0.1 * (5 - place)

    asyncio.run(run())


def test_one_that_is_cleared_is_not_called_and_one_that_is_set_anew_only_then() -> None:
    async def run() -> None:
        alarms, gone, later = Alarms(), Waiter(), Waiter()
        began = asyncio.get_running_loop().time()
        for waiter in (gone, later):
            alarms.set(waiter, 0.1)
        alarms.clear(gone)
        alarms.clear(Waiter())
        alarms.set(later, 0.5)
        await eventually_async(lambda: later.at)
        await asyncio.sleep(4 * TICK)
        assert (gone.at, len(later.at)) == ([], 1)
        assert later.at[0] - began >= 0.5

    asyncio.run(run())


def test_whoever_is_called_may_set_and_clear_others_and_itself() -> None:
    async def run() -> None:
        alarms = Alarms()
        victim = Waiter()

        def act(me: Waiter) -> None:
            alarms.clear(victim)
            if len(me.at) < 3:
                alarms.set(me, 0.0)

        first = Waiter(act)
        alarms.set(first, 0.0)
        alarms.set(victim, 0.0)
        await eventually_async(lambda: len(first.at) == 3)
        await asyncio.sleep(4 * TICK)
        assert (len(first.at), victim.at) == (3, [])

    asyncio.run(run())


def test_one_that_fails_keeps_no_other_from_being_called(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        alarms, last = Alarms(), Waiter()
        alarms.set(Waiter(lambda _: 1 / 0), 0.0)  # type: ignore[arg-type, return-value]
        alarms.set(last, 0.0)
        await eventually_async(lambda: last.at)
        assert len(last.at) == 1

    asyncio.run(run())
    assert "ZeroDivisionError" in caplog.text


def test_an_empty_one_wakes_nobody() -> None:
    async def run() -> None:
        alarms, waiter = Alarms(), Waiter()
        alarms.set(waiter, 0.0)
        await asyncio.sleep(4 * TICK)
        assert alarms._looking is None
        alarms.set(waiter, 0.0)
        await eventually_async(lambda: len(waiter.at) == 2)

    asyncio.run(run())
