"""What all requests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from deploy.routing.document import RoutingDocument, SlotView
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.store.config import RedisConfig
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import TooBusy
from serving.gateway.pool.call import Call
from serving.gateway.routing import Ask, PartTaken
from serving.gateway.service import SMALL, Exposures, Gateway
from serving.gateway.snapshot import Snapshot
from tests.waiting import eventually


class KnownOutbox(Outbox):
    """As the gateway has it, in this process."""

    bus_known = True


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


def test_an_exposure_that_the_spool_drops_is_told_by_the_unit_s_next_request(tmp_path: Path) -> None:
    """An outbox whose spool is full already; room comes with a larger one."""
    nowhere = open_bus(BusConfig(url="redis://127.0.0.1:1/0"), RedisConfig())
    full, roomy = (
        KnownOutbox(tmp_path, name, nowhere, OutboxConfig(spool_bytes=n)) for name, n in (("a", 1), ("b", 1 << 20))
    )
    one = gateway()
    ask = Ask("auto", "s", "r")
    decision = replace(one.decide(ask), unit="ada", taken=(PartTaken("e", 1, "student", 0.5, True),))
    one.outbox = full
    full.start()
    one.exposed(decision, ask, 1)
    eventually(lambda: full.stats()["dropped"]["spool"] == 1)
    one.outbox = roomy
    for _ in range(2):
        one.exposed(decision, ask, 1)
    assert roomy.stats()["queued"] == 1, "told again, and not once more"
    full.close(0.2)


def test_the_router_passes_an_arm_that_is_down_only_while_the_other_one_is_not() -> None:
    one = gateway()
    ask = Ask("auto", "s", "r")
    assert one.decide(ask).arm == "student"
    Call(one.upstreams.pick("http://127.0.0.1:2")).unreachable()
    assert one.decide(ask).arm == "teacher"
    assert one.decide(Ask("student", "s", "r")).arm == "student"
    Call(one.upstreams.pick("http://127.0.0.1:1")).unreachable()
    assert one.decide(ask).arm == "student"


def test_small_bodies_pass_when_memory_is_short() -> None:
    one = gateway(max_buffered=1)
    one.buffered = 100
    one.check_room(SMALL)
    with pytest.raises(TooBusy):
        one.check_room(SMALL + 1)


async def test_without_a_store_there_is_nothing_newer() -> None:
    assert not await gateway().refresh()


def test_breakers_of_engines_are_told_without_a_guard() -> None:
    one = gateway()
    Call(one.upstreams.pick("http://127.0.0.1:2")).unreachable()
    assert one.breakers().engines == {"127.0.0.1:2/v1": "open"}


def test_an_engine_that_no_document_names_any_more_is_told_no_more() -> None:
    one = gateway()
    Call(one.upstreams.pick("http://127.0.0.1:2")).unreachable()
    slots = {"teacher": one.snapshot.document.slots["teacher"]}
    assert one.snapshot.offer(RoutingDocument(epoch=2, slots=slots, teacher="t1"))
    assert one.breakers().engines == {}
    assert not one.upstreams._endpoints
