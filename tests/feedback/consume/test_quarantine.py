"""Of a flagged turn, and of the turns after it, nothing is learned."""

from __future__ import annotations

from feedback.consume.quarantine import Quarantine
from tests.feedback.conftest import World
from tests.feedback.factory import exchange


def test_later_turns_of_the_session_are_held_and_those_of_others_are_not() -> None:
    quarantine = Quarantine()
    turns = [("a", False), ("a", True), ("a", False), ("b", False)]
    held = [
        quarantine.holds(exchange(n, session=session, flagged=flagged)) for n, (session, flagged) in enumerate(turns)
    ]
    assert held == [False, True, True, False]
    assert not quarantine.holds(exchange(9, session="a", tenant="another"))


def test_no_more_sessions_are_known_than_the_limit_and_those_in_use_stay() -> None:
    quarantine = Quarantine(2)
    for n, session in enumerate("abac"):
        quarantine.holds(exchange(n, session=session, flagged=True))
    assert [quarantine.holds(exchange(n, session=session)) for n, session in enumerate("abc")] == [True, False, True]


async def test_no_copy_is_asked_of_a_session_after_its_flagged_turn(world: World) -> None:
    world.directory.students[0].busy = 99  # copies wait, so that they can be counted
    for n, flagged in enumerate((False, True, False, False)):
        world.gateway.put(exchange(n, session="s", flagged=flagged))
    world.gateway.put(exchange(7, session="other"))
    await world.work(lambda: world.kpis.by("arm").get("teacher", {}).get("requests", {}).get("n") == 5)
    assert world.stats.waiting() == 2
    assert world.kpis.by("version")["t1"]["flagged"]["n"] == 1
