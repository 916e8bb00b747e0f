"""A selection is as large as there is time to score it."""

from __future__ import annotations

from online_distill.data.rows import Row
from online_distill.teacher.sizing import fit, room_for
from tests.online_distill.world import make_samples

HARD = [Row.of(s, "hard", parent="v1") for s in make_samples(40)]
REPLAY = [Row.of(s, "anchor", parent="v1") for s in make_samples(100, start=500)]


def cost(row: Row) -> int:
    return 2 if row.role == "hard" else 1


def test_without_a_pace_there_is_no_bound() -> None:
    assert room_for(60, None) is None
    assert room_for(60, 0.25) == 240
    assert fit([*HARD, *REPLAY], cost, None, 1) == ([*HARD, *REPLAY], {})


def test_hard_rows_take_half_and_more_where_replay_needs_less() -> None:
    kept, dropped = fit([*HARD, *REPLAY], cost, 60, 1)
    assert kept == [*HARD[:15], *REPLAY[:30]]
    assert dropped == {"no_time_hard": 25, "no_time_anchor": 70}
    kept, dropped = fit([*HARD, *REPLAY[:10]], cost, 60, 1)
    assert kept == [*HARD[:25], *REPLAY[:10]]
    kept, dropped = fit([*HARD[:5], *REPLAY], cost, 60, 1)
    assert kept == [*HARD[:5], *REPLAY[:50]]


def test_rows_with_targets_at_hand_cost_nothing() -> None:
    at_hand = {row.id for row in REPLAY[::2]}
    kept, _ = fit([*HARD, *REPLAY], lambda row: 0 if row.id in at_hand else cost(row), 40, 1)
    assert at_hand <= {row.id for row in kept}
    assert sum(cost(row) for row in kept if row.id not in at_hand) == 40


def test_the_least_number_stays_in_any_case() -> None:
    kept, dropped = fit(HARD, cost, 0, 7)
    assert kept == HARD[:7]
    assert dropped == {"no_time_hard": 33}
