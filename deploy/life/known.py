"""Which general rows are of kinds that a version could do: on them a loss must not hide behind a win elsewhere. Pure.

Half of all traffic by hash holds what is new as well, and there every candidate wins. To leave out the rows that the
parent got wrong would leave nothing that could be won: each row that changes by chance would count as lost. So a row
is never chosen by what was seen of itself. Rows are split in two halves by the hash of their prompt, and a row counts
where its kind was mostly right in the other half; given the kind, the two halves are independent, and a candidate that
is as good as the parent wins on the chosen rows as often as it loses. Kinds with too few rows in a half are pooled.

What this rests on: rows of a kind (a cluster of prompts) are alike in what makes them hard. Where a kind holds both
what is known and what is not, its wins offset its losses still, as over all rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from deploy.life.evaluation import JudgedRow
from understudy.ids import unit_fraction

LEAST: Final = 3
"""Rows of a kind in each half, below which it is pooled with others of the kind."""
POOL: Final = ""


def known(rows: Sequence[JudgedRow], right: Callable[[JudgedRow], bool], share: float) -> list[JudgedRow]:
    """The rows whose kind is `right` for at least `share` of its rows in the other half by hash.

    A half of the pool without any row says nothing against the other one.
    """
    halves = [unit_fraction("known", row.key) < 0.5 for row in rows]
    sizes = Counter((row.kind, half) for row, half in zip(rows, halves, strict=True))
    kinds = [row.kind if min(sizes[row.kind, True], sizes[row.kind, False]) >= LEAST else POOL for row in rows]
    total, done = Counter[tuple[str, bool]](), Counter[tuple[str, bool]]()
    for row, kind, half in zip(rows, kinds, halves, strict=True):
        total[kind, half] += 1
        done[kind, half] += right(row)
    return [
        row
        for row, kind, half in zip(rows, kinds, halves, strict=True)
        if done[kind, not half] >= share * total[kind, not half]
    ]
