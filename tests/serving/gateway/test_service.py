"""What all requests share."""

from __future__ import annotations

import pytest

from deploy.routing.document import RoutingDocument, SlotView
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import TooBusy
from serving.gateway.routing import Ask, PartTaken
from serving.gateway.service import SMALL, Exposures, Gateway
from serving.gateway.snapshot import Snapshot


def gateway(**settings: int) -> Gateway:
    slots = {
        name: SlotView(desired=version, url=f"http://127.0.0.1:{port}", model=name, version=version, ready=True)
        for name, version, port in (("teacher", "t1", 1), ("student-a", "v1", 2))
    }
    document = RoutingDocument(epoch=1, slots=slots, teacher="t1", stable="v1", default={"student": 1.0})
    return Gateway(GatewayConfig(**settings), Snapshot(document), clock=lambda: 0.0)


def test_a_unit_is_exposed_once_in_a_phase_and_once_more_when_another_version_stood_in() -> None:
    exposures = Exposures()
    first, later = (PartTaken("e", phase, "student", 0.5, True) for phase in (1, 2))
    said = [exposures.new(first, "a", fell_back) for fell_back in (False, False, True, True, False)]
    assert said == [True, False, True, False, False]
    assert exposures.new(later, "a", False)
    exposures.forget(first, "a")
    assert exposures.new(first, "a", False)


def test_of_very_many_units_the_oldest_is_forgotten_first() -> None:
    exposures, one = Exposures(limit=2), PartTaken("e", 1, "student", 0.5, True)
    assert [exposures.new(one, unit, False) for unit in ("a", "b", "a", "c")] == [True, True, False, True]
    assert not exposures.new(one, "a", False)
    assert exposures.new(one, "b", False)


def test_the_router_passes_an_arm_that_is_down_only_while_the_other_one_is_not() -> None:
    one = gateway()
    ask = Ask("auto", "s", "r")
    assert one.decide(ask).arm == "student"
    one.upstreams.pick("http://127.0.0.1:2").failed()
    assert one.decide(ask).arm == "teacher"
    assert one.decide(Ask("student", "s", "r")).arm == "student"
    one.upstreams.pick("http://127.0.0.1:1").failed()
    assert one.decide(ask).arm == "student"


def test_small_bodies_pass_when_memory_is_short() -> None:
    one = gateway(max_buffered=1)
    one.buffered = 100
    one.check_room(SMALL)
    with pytest.raises(TooBusy):
        one.check_room(SMALL + 1)


async def test_without_a_store_there_is_nothing_newer() -> None:
    assert not await gateway().refresh()
