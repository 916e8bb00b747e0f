"""A test that counts by the day (UTC) sees one day."""

from __future__ import annotations

import pytest

from tests.waiting import DAY, PATIENCE, until_next_day, within_a_day

NOON = 20_000 * DAY + DAY / 2


@pytest.mark.parametrize(
    ("now", "wait"),
    [
        (NOON, 0.0),
        (20_000 * DAY - 61, 0.0),
        (20_000 * DAY - 60, 60.0),
        (20_000 * DAY - 0.25, 0.25),
        (20_000 * DAY, 0.0),
    ],
)
def test_the_next_day_is_waited_for_where_this_one_ends_too_soon(now: float, wait: float) -> None:
    assert until_next_day(now, 60) == wait


@pytest.mark.parametrize(("left", "waits"), [(PATIENCE * 5 - 1, True), (PATIENCE * 5 + 1, False)])
def test_it_is_waited_for_with_patience_and_begins_on_that_day(
    monkeypatch: pytest.MonkeyPatch, left: float, waits: bool
) -> None:
    now, slept = DAY - left, list[float]()
    monkeypatch.setattr("tests.waiting.time.time", lambda: now)
    monkeypatch.setattr("tests.waiting.time.sleep", slept.append)
    within_a_day(5)
    assert [now + one > DAY for one in slept] == [True] * waits
