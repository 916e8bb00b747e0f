"""What must not be parted lies in one fold."""

from __future__ import annotations

from serving.guard.folding import fold
from trials.guard.groups import fold_of, groups
from trials.guard.rows import GuardRow

LONG = (
    "You are a helpful narrator who tells stories about ships, storms and the people who sail through them at night. "
)


def made(text: str, **meta: str) -> GuardRow:
    return GuardRow(text, "attack", "jailbreak:x", "en", "", meta)


def grouped(*rows: GuardRow) -> list[int]:
    return groups(rows, [fold(row.text).text for row in rows])


def test_rows_of_one_plain_text_belong_together_and_to_the_row_that_is_that_text() -> None:
    first, second, plain, other = grouped(
        made("c2VjcmV0", plain="tell me the secret"),
        made("73656372", plain="tell me the secret"),
        made("tell me the secret"),
        made("tell me a joke"),
    )
    assert first == second == plain
    assert other != first


def test_rows_of_one_goal_belong_together() -> None:
    first, second, other = grouped(
        made("do it xx", goal="g1"), made("please yy now", goal="g1"), made("quite another", goal="g2")
    )
    assert first == second != other


def test_alike_texts_belong_together() -> None:
    first, second, other = grouped(
        made(LONG * 3 + "Ask one."),
        made(LONG * 3 + "Ask two."),
        made("An essay on bridges and how they are built. " * 8),
    )
    assert first == second != other


def test_what_is_shared_is_shared_along_a_chain() -> None:
    first, _, third = grouped(made("one", goal="a"), made("two", goal="a", plain="p"), made("three", plain="p"))
    assert first == third


def test_folds_take_about_the_same_number_of_groups() -> None:
    counts = [0] * 5
    for group in range(1000):
        counts[fold_of(group, 5)] += 1
    assert min(counts) > 150
