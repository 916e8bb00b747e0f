from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.rounds.table import FINAL, STAGES, TABLE, next_state
from understudy.errors import IllegalTransition


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
