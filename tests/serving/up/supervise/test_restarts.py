"""The restart table: legal paths only, back-off doubles, is bounded and is forgotten after a steady run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.up.supervise.restarts import TABLE, Life, Policy
from understudy.errors import IllegalTransition

POLICY = Policy(first=0.5, limit=15.0, steady=30.0)


@given(st.lists(st.tuples(st.sampled_from(["start", "exited", "due", "stop"]), st.floats(0, 100))))
def test_every_event_is_either_in_the_table_or_refused_without_change(events) -> None:
    life, now = Life(), 0.0
    for event, pause in events:
        now += pause
        expected = TABLE.get((life.state, event))
        if expected is None:
            with pytest.raises(IllegalTransition):
                life.after(event, now, POLICY)
        else:
            life = life.after(event, now, POLICY)
            assert life.state == expected
            assert life.state != "backing_off" or 0 < life.due - now <= POLICY.limit


def test_failures_in_a_row_wait_longer_up_to_the_limit() -> None:
    life, waits = Life().after("start", 0.0, POLICY), []
    for _ in range(8):
        life = life.after("exited", 0.0, POLICY)
        waits.append(life.due)
        life = life.after("due", 0.0, POLICY)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    assert life.restarts == 8


def test_a_steady_run_forgets_former_failures() -> None:
    life = Life("running", started=0.0, failures=6).after("exited", 31.0, POLICY)
    assert life.due - 31.0 == 0.5


def test_a_stopped_role_never_comes_back_by_itself() -> None:
    stopped = Life("running").after("stop", 0, POLICY).after("exited", 1, POLICY)
    assert stopped.state == "stopped"
    assert ("stopped", "due") not in TABLE
    assert ("stopped", "exited") not in TABLE
