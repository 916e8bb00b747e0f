"""Of a flagged turn, and of the turns after it, nothing is learned, whoever works and however often it starts."""

from __future__ import annotations

from feedback.flagged.sessions import make_room, session_name
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from tests.feedback.conftest import World
from tests.feedback.factory import exchange

KEYS = RedisKeys()


def requests(world: World) -> int:
    return int(world.kpis.by("arm").get("teacher", {}).get("requests", {}).get("n", 0))


async def test_no_copy_is_asked_of_a_session_after_its_flagged_turn_over_restarts(world: World) -> None:
    world.directory.students[0].busy = 99  # copies wait, so that they can be counted
    for n, flagged in enumerate((False, True, False)):
        world.gateway.put(exchange(n, session="s", flagged=flagged))
    world.gateway.put(exchange(7, session="other"))
    world.gateway.put(exchange(8, session="s", tenant="another"))
    await world.work(lambda: requests(world) == 5)
    assert world.stats.waiting() == 3
    world.gateway.put(exchange(9, session="s"))
    world.gateway.put(exchange(10, session="other"))
    await world.work(lambda: requests(world) == 7)  # by another worker
    assert world.stats.waiting() == 4
    assert world.kpis.counters()["quarantined"] == 2
    assert world.kpis.by("version")["t1"]["flagged"]["n"] == 1


async def test_those_that_were_silent_longest_are_forgotten_and_those_that_speak_are_not(world: World) -> None:
    world.directory.students[0].busy = 99
    for n, session in enumerate("ab"):
        world.gateway.put(exchange(n, session=session, flagged=True))
    await world.work(lambda: requests(world) == 2)
    client = connect(world.bus_url)
    assert not make_room(client, KEYS, 2)
    assert make_room(client, KEYS, 1)
    world.gateway.put(exchange(2, session="a"))
    await world.work(lambda: requests(world) == 3)
    assert world.stats.waiting() == 0
    assert client.hkeys(KEYS.held_sessions) == [session_name("default", "a").encode()]
    assert make_room(client, KEYS, 0)
    for n, session in enumerate("ab", 3):
        world.gateway.put(exchange(n, session=session))
    await world.work(lambda: requests(world) == 5)
    assert world.stats.waiting() == 1  # of b, which said nothing meanwhile
