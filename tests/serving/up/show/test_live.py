"""What the routing document and the beats of slots and gateways say, as figures."""

from __future__ import annotations

from deploy.routing.document import EXTERNAL, GatewayBeat, RoutingDocument, SlotView
from serving.up.show.changes import changes
from serving.up.show.figures import Figures
from serving.up.show.live import with_document


def test_an_engine_of_others_is_shown_as_such_and_a_slot_without_work_is_no_trouble() -> None:
    given = SlotView(desired=EXTERNAL, version=EXTERNAL, ready=True)
    now = with_document(Figures(), RoutingDocument(slots={"teacher": given}), {}, [])
    assert [(slot.version, slot.ready) for slot in now.slots] == [(EXTERNAL, True), ("-", False), ("-", False)]
    assert now.lacking == []


def test_only_a_gateway_that_had_its_time_counts_as_behind() -> None:
    document = RoutingDocument(epoch=7, created=100.0)
    beats = [
        GatewayBeat(id="quick", epoch=7, at=109.0), GatewayBeat(id="asleep", epoch=5, at=109.0),
        GatewayBeat(id="about to", epoch=6, at=100.5),
    ]  # fmt: skip
    before, after = Figures(epoch=7), with_document(Figures(), document, {}, beats)
    assert after.behind == {"asleep": 5}
    assert list(changes(before, after)) == ["asleep stays at epoch 5 of 7"]
    assert list(changes(after, before)) == ["asleep follows again"]
