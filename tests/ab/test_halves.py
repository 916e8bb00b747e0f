"""Which pairs are of known kinds: never by what was seen of themselves, and fair to an equal candidate."""

from __future__ import annotations

import random

import pytest

from ab.halves import Seen, in_known_kinds
from ab.matched import Matched


def chosen(rows: list[Seen], share: float = 0.5) -> list[Seen]:
    return [row for row, known in zip(rows, in_known_kinds(rows, share), strict=True) if known]


def test_rows_of_a_kind_that_was_mostly_right_count_right_or_wrong() -> None:
    old = [Seen(f"old {i}", "old", i % 5 != 0) for i in range(40)]
    new = [Seen(f"new {i}", "new", i % 5 == 0) for i in range(40)]
    assert chosen([*old, *new]) == old
    assert chosen([*old, *new], share=0.0) == [*old, *new]


def test_no_row_is_chosen_by_what_was_seen_of_itself() -> None:
    """Whatever a row's own result is, it is chosen or not."""
    rows = [Seen(f"x {i}", "one", i % 3 != 0) for i in range(30)]
    for at in range(len(rows)):
        other = [one if i != at else Seen(one.name, one.kind, not one.right) for i, one in enumerate(rows)]
        assert (rows[at] in chosen(rows)) == (other[at] in chosen(other))


def test_small_kinds_are_judged_together() -> None:
    small = [Seen(f"small {i}", f"kind {i}", i % 10 != 0) for i in range(60)]
    assert chosen(small) == small
    assert chosen([Seen(f"lost {i}", f"kind {i}", i % 10 == 0) for i in range(60)]) == []
    assert chosen([]) == []
    alone = [Seen("alone", "kind", right=False)]
    assert chosen(alone) == alone


@pytest.mark.parametrize("share", [0.4, 0.5, 0.9])
def test_an_equal_candidate_wins_on_the_chosen_rows_as_often_as_it_loses(share: float) -> None:
    """Seed 3, 200 draws of 400 rows in 20 kinds, each right with the chance of its kind, before and after alike.

    Chosen by their own result, rows would be lost alone. Tolerance: 4 standard errors.
    """
    chance, total = random.Random(3), Matched()
    for _ in range(200):
        odds = [chance.choice((0.1, share, 0.95)) for _ in range(20)]
        rows = [Seen(str(i), f"kind {i % 20}", chance.random() < odds[i % 20]) for i in range(400)]
        after = [chance.random() < odds[i % 20] for i in range(400)]
        known = in_known_kinds(rows, 0.5)
        total += Matched.of((row.right, now) for row, now, k in zip(rows, after, known, strict=True) if k)
    assert total.lost > 1000
    assert abs(total.lost - total.won) < 4 * (total.lost + total.won) ** 0.5
