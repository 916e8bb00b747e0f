"""The tables hold what they promise: properties of rounds, of a version's life, of slots and of steps."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.life.config import RolloutStep
from deploy.life.rollout import LIFE, STATES, advance, allows, judge
from deploy.rounds.store import FINAL, STAGES, TABLE, next_state
from deploy.routing.document import STUDENT_SLOTS
from deploy.routing.slots import arrange
from understudy.errors import IllegalTransition

EVENTS = sorted({event for _, event in LIFE})
VERSIONS = st.sampled_from(["v1", "v2", "v3", "v4"])


@settings(deadline=None)
@given(
    st.sampled_from(sorted({s for s, _ in TABLE} | FINAL)), st.text(max_size=8) | st.sampled_from(["done", "rejected"])
)
def test_a_round_moves_only_forwards_and_never_from_its_end(state: str, event: str) -> None:
    try:
        after = next_state(state, event)
    except IllegalTransition:
        assert (state, event) not in TABLE
        return
    assert state not in FINAL
    assert after in FINAL or STAGES.index(after) == STAGES.index(state) + 1


def test_every_stage_can_fail_and_every_round_can_end() -> None:
    state = STAGES[0]
    for stage in STAGES:
        assert next_state(stage, "failed") == "failed"
        state = next_state(state, "done")
    assert state == "done"


@settings(deadline=None)
@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_a_version_reaches_live_by_the_table_alone_and_never_from_bad(events: list[str]) -> None:
    state = "registered"
    for event in events:
        before = state
        with contextlib.suppress(IllegalTransition):
            state = advance(state, event)
        if not allows(before, event):
            assert state == before
        assert state in STATES
        if before in ("bad", "archived"):
            assert state != "live"


def test_a_candidate_without_a_passed_gate_gets_no_traffic() -> None:
    for state in ("registered", "rejected", "bad"):
        with pytest.raises(IllegalTransition):
            advance(state, "wanted")
    assert advance("canary", "breached") == "rolled_back"


@settings(deadline=None)
@given(
    stable=st.none() | VERSIONS,
    incoming=st.none() | VERSIONS,
    previous=st.lists(VERSIONS, max_size=3, unique=True).map(tuple),
    held=st.dictionaries(st.sampled_from(STUDENT_SLOTS), st.none() | VERSIONS),
    loaded=st.dictionaries(st.sampled_from(STUDENT_SLOTS), st.none() | VERSIONS),
    bad=st.sets(VERSIONS, max_size=2),
)
def test_the_stable_version_is_never_moved_and_bad_ones_are_wanted_nowhere(
    stable: str | None,
    incoming: str | None,
    previous: tuple[str, ...],
    held: dict[str, str | None],
    loaded: dict[str, str | None],
    bad: set[str],
) -> None:
    slots = arrange(stable, incoming, previous, held, loaded, bad)
    assert sorted(slots) == sorted(STUDENT_SLOTS)
    if stable is not None:
        assert list(slots.values()).count(stable) == 1
        home = next(s for s, v in slots.items() if v == stable)
        if stable in held.values():
            assert held[home] == stable
    guests = [v for v in slots.values() if v is not None and v != stable]
    assert not set(guests) & bad
    if incoming is not None and incoming != stable and incoming not in bad:
        assert guests == [incoming]
    again = arrange(stable, incoming, previous, slots, loaded, bad)
    if stable is not None:
        assert again == slots


@settings(deadline=None)
@given(
    exposures=st.integers(0, 200),
    waited=st.floats(0, 200),
    on_timeout=st.sampled_from(["hold", "promote"]),
    harm=st.none() | st.just("latency"),
)
def test_a_step_ends_by_harm_first_then_exposures_then_its_timeout(
    exposures: int, waited: float, on_timeout: str, harm: str | None
) -> None:
    step = RolloutStep.model_validate(
        {"share": 0.25, "min_exposures": 50, "max_wait_seconds": 60, "on_timeout": on_timeout}
    )
    outcome = judge(step, exposures, waited, harm).outcome
    if harm is not None:
        assert outcome == "breach"
    elif exposures >= 50:
        assert outcome == "advance"
    elif waited < 60:
        assert outcome == "wait"
    else:
        assert outcome == {"hold": "hold", "promote": "advance"}[on_timeout]
