"""The table of a slot and the choice of its next step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.routing.document import RoutingDocument, SlotView
from serving.engine.slot import TABLE, SlotEvent, State, Want, after, decide
from understudy.errors import IllegalTransition


def document(desired: str | None, *, stable: str | None = "v1", elsewhere: str | None = None) -> RoutingDocument:
    """student-b should hold `desired`; student-a serves `elsewhere`."""
    other = SlotView(desired=elsewhere, version=elsewhere, ready=elsewhere is not None)
    return RoutingDocument(slots={"student-a": other, "student-b": SlotView(desired=desired)}, stable=stable)


@settings(deadline=None)
@given(st.lists(st.sampled_from(SlotEvent), max_size=30))
def test_events_keep_to_the_table_and_illegal_ones_change_nothing(events: list[SlotEvent]) -> None:
    state = State.IDLE
    for event in events:
        if (state, event) in TABLE:
            state = after(state, event)
        else:
            with pytest.raises(IllegalTransition):
                after(state, event)


def test_serving_is_reached_only_through_a_matched_fingerprint() -> None:
    into = {
        event for (state, event), target in TABLE.items() if target is State.SERVING and state is not State.DRAINING
    }
    assert into == {SlotEvent.MATCHED}


def test_every_working_state_can_fail_and_every_failure_waits() -> None:
    working = set(State) - {State.BACKING_OFF}
    assert all(TABLE[state, SlotEvent.FAILED] is State.BACKING_OFF for state in working)


@pytest.mark.parametrize(
    ("state", "loaded", "doc", "last_good", "blocked", "expected"),
    [
        (State.IDLE, None, None, None, {}, ("nothing", None)),
        (State.IDLE, None, document("v2"), None, {}, ("start", "v2")),
        (State.IDLE, None, document("v2"), "v1", {"v2": "NaN"}, ("start", "v1")),
        (State.IDLE, None, document("v2"), None, {"v2": "NaN"}, ("nothing", None)),
        (State.SERVING, "v2", document("v2"), "v2", {}, ("nothing", None)),
        (State.SERVING, "v2", document("v3"), "v2", {}, ("replace", "v3")),
        (State.SERVING, "v2", document(None), "v2", {}, ("nothing", None)),
        (State.SERVING, "v2", document("v3"), "v2", {"v3": "NaN"}, ("nothing", None)),
        (State.SERVING, "v1", document("v3", stable="v1"), "v1", {}, ("nothing", None)),
        (State.SERVING, "v1", document("v3", stable="v1", elsewhere="v1"), "v1", {}, ("replace", "v3")),
        (State.BACKING_OFF, None, document("v2"), "v1", {}, ("nothing", None)),
    ],
)
def test_the_next_step(
    state: State,
    loaded: str | None,
    doc: RoutingDocument | None,
    last_good: str | None,
    blocked: dict[str, str],
    expected: tuple[str, str | None],
) -> None:
    want: Want = decide("student-b", state, loaded, doc, last_good, blocked)
    assert (want.step, want.version) == expected


def test_a_candidate_with_traffic_is_not_replaced() -> None:
    doc = document("v3", stable="v1", elsewhere="v1").model_copy(update={"candidate": "v2", "candidate_share": 0.25})
    assert decide("student-b", State.SERVING, "v2", doc, "v2", {}).step == "nothing"
    quiet = doc.model_copy(update={"candidate_share": 0.0})
    assert decide("student-b", State.SERVING, "v2", quiet, "v2", {}).step == "replace"


def test_the_teacher_in_use_is_not_replaced() -> None:
    doc = RoutingDocument(slots={"teacher": SlotView(desired="t2")}, teacher="t1")
    assert decide("teacher", State.SERVING, "t1", doc, "t1", {}).step == "nothing"
    assert decide("teacher", State.SERVING, "t1", doc.model_copy(update={"teacher": "t2"}), "t1", {}).step == "replace"
