"""How long a client's connection is waited for."""

from __future__ import annotations

import asyncio

from serving.gateway.http.patience import Patience
from understudy.process.alarms import TICK, Alarms


def calls(*acts: tuple[str, float]) -> list[str]:
    """What is called after `acts` of `Patience`, each with its seconds, 0: without."""
    said: list[str] = []

    async def run() -> None:
        patience = Patience(Alarms(), lambda: said.append("slow"), lambda: said.append("idle"))
        for name, seconds in acts:
            getattr(patience, name)(*([seconds] if seconds else []))
        await asyncio.sleep(6 * TICK)
        assert patience.watching is patience.resting is False

    asyncio.run(run())
    return said


def test_each_alarm_comes_once_and_says_what_was_waited_for() -> None:
    assert calls(("watch", 0.01)) == ["slow"]
    assert calls(("rest", 0.01)) == ["idle"]
    assert calls(("watch", 0.01), ("end", 0)) == calls(("rest", 0.01), ("end", 0)) == []


def test_the_rest_of_a_request_is_watched_whatever_reply_ends_meanwhile() -> None:
    assert calls(("watch", 0.01), ("rest", 60.0)) == ["slow"]
    assert calls(("rest", 60.0), ("watch", 0.01)) == ["slow"]
