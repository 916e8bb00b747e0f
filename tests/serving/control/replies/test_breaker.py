"""Breakers at the control plane: shown as the gateways report them, closed by hand."""

from __future__ import annotations

from fastapi.testclient import TestClient

from deploy.routing.document import BreakerBeat, GatewayBeat
from serving.control.printing import breakers
from serving.control.replies.breaker import MOST_NAMED, BreakerStatus, breaker_status
from tests.deploy.fleet import World

NAME = "0123456789abcdef0123"


def test_status_shows_what_the_gateways_report(admin: TestClient, world: World) -> None:
    beat = BreakerBeat(open=1, half_open=2, users=(NAME,), engines={"127.0.0.1:9/v1": "open"})
    world.fleet.routing.beats.report_gateway("g2", 1, "http://127.0.0.1:3", beat)
    found = admin.get("/status").json()["breaker"]
    assert (found["open"], found["half_open"], found["users"]) == (1, 2, [NAME])
    assert found["engines"] == {"127.0.0.1:9/v1": "open"}
    assert found["gateways"]["g2"]["open"] == 1
    assert found["gateways"]["g1"]["open"] == 0


def test_gateways_that_share_openings_are_not_added_up_and_names_are_bounded() -> None:
    names = tuple(f"{number:020x}" for number in range(15))
    more = tuple(f"{number:020x}" for number in range(10, 25))
    beats = [
        GatewayBeat(id=name, epoch=1, at=0.0, breaker=BreakerBeat(open=40, users=users, engines=engines))
        for name, users, engines in (
            ("g1", names, {"a": "open", "b": "half_open"}), ("g2", more, {"a": "half_open", "b": "open"}),
        )
    ]  # fmt: skip
    found = breaker_status(beats)
    assert (found.open, len(found.users), found.engines) == (40, MOST_NAMED, {"a": "open", "b": "open"})
    assert breaker_status([]) == BreakerStatus()


def test_it_is_said_in_words_where_there_is_something_to_say() -> None:
    assert breakers(BreakerStatus()) == []
    said = "\n".join(breakers(BreakerStatus(open=1, users=[NAME], engines={"127.0.0.1:9/v1": "half_open"})))
    assert NAME in said
    assert "127.0.0.1:9/v1" in said
