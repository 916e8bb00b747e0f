"""What happened between two pictures, in words."""

from __future__ import annotations

from dataclasses import replace

from deploy.routing.document import Heartbeat, RoutingDocument, SlotView
from serving.up.show.changes import changes
from serving.up.show.figures import Figures, Stage, line
from serving.up.show.live import with_document


def test_a_swap_and_a_stage_become_events() -> None:
    before = Figures(stable="v2", candidate="v3", epoch=3, stage=Stage(1, "canary"))
    after = Figures(stable="v3", epoch=4, stage=Stage(1, "live"), failed=2)
    said = list(changes(before, after))
    assert said == ["v3 is live, was v2 (epoch 4)", "round 1: live", "2 requests failed"]
    assert list(changes(after, after)) == []
    assert list(changes(replace(after, failed=1), after)) == ["1 request failed"]


def test_a_candidate_that_is_taken_back_is_told() -> None:
    before = Figures(stable="v2", candidate="v4", share=0.25)
    after = Figures(stable="v3", epoch=4)
    assert list(changes(before, after)) == [
        "v3 is live, was v2 (epoch 4)", "v4 is no longer the candidate: it was taken back",
    ]  # fmt: skip


def test_a_slot_that_stops_serving_is_told_with_its_reason_until_it_serves_again() -> None:
    document = RoutingDocument(stable="v2", slots={"student-a": SlotView(desired="v2")})

    def seen(**beat: object) -> Figures:
        found = Heartbeat.model_validate({"slot": "student-a", "url": "u", "model": "student", **beat})
        return with_document(Figures(), document, {"student-a": found}, [])

    serves = seen(state="serving", version="v2", ready=True)
    hangs = seen(state="backing_off", bad={"v2": "no memory is left", "v1": "another matter"})
    silent = with_document(Figures(), document, {}, [])
    assert list(changes(serves, hangs)) == ["student-a is not ready: backing_off, no memory is left"]
    assert list(changes(hangs, serves)) == ["student-a serves v2"]
    assert [text for each in (serves, hangs, silent) for text in line(each).split(" | ") if "not ready" in text] == [
        "not ready: student-a (backing_off)", "not ready: student-a (away)",
    ]  # fmt: skip


def test_what_the_gate_saw_is_told_once() -> None:
    said = "gate passed: general exact 0.990 -> 0.985 (2 lost, 0 won of 400)"
    before, after = Figures(stage=Stage(1, "gate")), Figures(stage=Stage(1, "canary"), gate=said)
    assert list(changes(before, after)) == ["round 1: canary", said]
    assert list(changes(after, after)) == []
