"""Openings on their way between gateways, and what happens to them while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from deploy.routing.quick_redis import QuickRedis
from serving.breaker.config import UserBreakerConfig
from serving.breaker.machine import CallOutcome
from serving.breaker.openings import Opening, Openings
from serving.breaker.sharing import MOST_UNTOLD, Sharing
from serving.breaker.users import UserBreakers, user_name
from serving.gateway.guarding.watch import GuardWatch
from serving.guard.config import GuardConfig
from tests.serving.guard.words import WordModel


def stream(redis_url: str, source: str) -> Openings:
    return Openings(QuickRedis(redis_url), "us:breaker", source, 900.0)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


def attack(breakers: UserBreakers) -> None:
    while (call := breakers.begin("t", "mallory")) is not None:
        call.end(CallOutcome.BAD)


def test_an_opening_is_told_and_heard_within_a_second() -> None:
    """One exchange tells it and the other gateway's next one hears it."""
    assert GuardWatch(GuardConfig(), WordModel()).sharing.seconds == Sharing(lambda: None).seconds <= 0.5


async def test_what_opens_here_is_open_there_and_a_release_closes_both(redis_url: str) -> None:
    here, there = (Sharing(lambda name=name: stream(redis_url, name)) for name in ("g1", "g2"))
    mine = UserBreakers(UserBreakerConfig(), asyncio.get_running_loop().time, here.tell)
    theirs = UserBreakers(UserBreakerConfig(), asyncio.get_running_loop().time, there.tell)
    tasks = [asyncio.create_task(here.run(mine)), asyncio.create_task(there.run(theirs))]
    attack(mine)
    name = user_name("t", "mallory")
    await until(lambda: theirs.open_names() == [name])
    assert theirs.begin("t", "mallory") is None
    stream(redis_url, "control").tell(Opening(name, 0.0))
    await until(lambda: mine.open_names() == theirs.open_names() == [])
    assert mine.begin("t", "mallory") is not None
    for task in tasks:
        task.cancel()


class Away:
    """A stream that is away at first."""

    def __init__(self) -> None:
        self.here = False
        self.refused = 0
        self.told: list[Opening] = []

    def tell(self, opening: Opening) -> bool:
        if self.here:
            self.told.append(opening)
        else:
            self.refused += 1
        return self.here

    def news(self) -> list[Opening]:
        if not self.here:
            raise RuntimeError("whatever it is")
        return [Opening("eve", 5.0)]


async def test_openings_wait_for_redis_in_bounded_number_and_the_breaker_goes_on() -> None:
    away = Away()
    sharing = Sharing(lambda: away, 0.01)  # type: ignore[arg-type, return-value]
    breakers = UserBreakers(UserBreakerConfig(), asyncio.get_running_loop().time, sharing.tell)
    task = asyncio.create_task(sharing.run(breakers))
    attack(breakers)
    assert breakers.begin("t", "mallory") is None
    for number in range(MOST_UNTOLD + 4):
        sharing.tell(str(number), 1.0)
    assert sharing.dropped == 5
    await until(lambda: away.refused > 2)
    away.here = True
    await until(lambda: len(away.told) >= MOST_UNTOLD and "eve" in breakers.open_names())
    assert away.told[-1].name == str(MOST_UNTOLD + 3)
    task.cancel()


async def test_without_a_redis_nothing_is_asked() -> None:
    sharing = Sharing(lambda: None, 0.001)
    task = asyncio.create_task(sharing.run(UserBreakers(UserBreakerConfig(), asyncio.get_running_loop().time)))
    await asyncio.sleep(0.02)
    assert not task.done()
    task.cancel()
