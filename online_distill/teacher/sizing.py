"""How many of a round's rows there is time to score: pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from online_distill.data.rows import Row

HARD_SHARE = 0.5
"""Of the texts that there is time for, the share that hard rows may take where replay needs the rest."""


def room_for(seconds: float, pace: float | None) -> int | None:
    """Texts that are scored in `seconds` at `pace` seconds each; None, no bound, before there was a pace."""
    return None if pace is None else int(seconds / pace)


def fit(
    rows: Sequence[Row], cost: Callable[[Row], int], room: int | None, least: int
) -> tuple[list[Row], dict[str, int]]:
    """The rows that there is room for, in their order, and how many were left out for want of time, by role.

    `cost`: texts of a row that have to be scored, 0 where their targets are at hand. `least` rows stay in any case.
    """
    if room is None:
        return list(rows), {}
    costs = {row.id: cost(row) for row in rows}
    replay = sum(costs[row.id] for row in rows if row.role == "anchor")
    left = {"hard": max(int(room * HARD_SHARE), room - replay)}
    left["anchor"] = max(0, room - min(left["hard"], sum(costs[row.id] for row in rows if row.role == "hard")))
    kept: list[Row] = []
    dropped: dict[str, int] = {}
    for row in rows:
        if costs[row.id] > left[row.role] and len(kept) >= least:
            dropped[f"no_time_{row.role}"] = dropped.get(f"no_time_{row.role}", 0) + 1
            continue
        left[row.role] -= costs[row.id]
        kept.append(row)
    return kept, dropped
