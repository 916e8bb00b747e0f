"""What the routing document, the beats of slots and gateways and the rounds say, as figures."""

from __future__ import annotations

import time

from deploy.life.config import GateConfig
from deploy.life.gate import decide
from deploy.rounds.store import FileRounds
from deploy.routing.document import EXTERNAL, GatewayBeat, RoutingDocument, SlotView
from serving.up.show.changes import changes
from serving.up.show.figures import Figures
from serving.up.show.live import LiveFigures, with_document
from tests.deploy.life.judged import evaluation, learned, rows
from understudy.state import StateDir


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


def test_what_the_gate_saw_stays_when_its_round_is_over_and_a_round_says_when_it_ends(state_dir: StateDir) -> None:
    rounds = FileRounds(state_dir, lambda: time.time() - 30)
    figures = LiveFigures(state_dir, "http://127.0.0.1:1", "redis://127.0.0.1:1", "us:", dict, 45.0)
    rounds.begin("v1", "t1", "asked", budget=90.0)
    rounds.finish(1, "select", {})
    stage = figures.look().stage
    assert stage is not None
    assert stage.left is not None
    assert 95 < stage.left <= 90 - 30 + 45
    for name in ("score", "distil", "export", "evaluate"):
        rounds.finish(1, name, {})
    rounds.finish(1, "register", {"version": "v2"})
    assert figures.look().gate == ""
    few = GateConfig(general_rows=120, hard_rows=30, on_few="go")
    rounds.finish(1, "gate", decide(evaluation(*rows(120), hard=learned(30)), few).summary())
    judged = figures.look()
    assert judged.gate_short == "gate passed: general exact 100→100 facts 100→100; new exact 0→73 facts 0→73 %"
    assert judged.few.startswith("judged on few: a loss below 5.5 points")
    assert any("gate passed: general exact" in event for event in judged.events)
    rounds.fail(1, {"error": "aborted"})
    assert (figures.look().stage, figures.look().gate_short) == (None, judged.gate_short)
