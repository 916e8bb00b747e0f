"""A version's life and the judgement of a step hold what their table promises."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.life.config import RolloutStep
from deploy.life.rollout import LIFE, STATES, advance, allows, judge
from understudy.errors import IllegalTransition

EVENTS = sorted({event for _, event in LIFE})


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


def test_an_unfit_version_gets_no_canary_and_is_live_by_an_operators_word_alone() -> None:
    for state in ("unfit", "set_aside"):
        ways = {event: after for (before, event), after in LIFE.items() if before == state}
        assert {event for event, after in ways.items() if after in ("live", "loading", "canary", "previous")} == {
            "chosen"
        }
    assert advance("registered", "learned") == "unfit"
    assert advance(advance("unfit", "outdone"), "taken_up") == "unfit"


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
