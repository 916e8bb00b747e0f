"""When a bus is believed: a number named twice in one life, far enough apart."""

from __future__ import annotations

from feedback.bus.protocol import Held
from feedback.outbox.lane import MARKS, Lane

KEEP = 5.0


def test_a_number_is_believed_when_it_is_named_again_after_a_while() -> None:
    lane = Lane(sent=0)
    assert lane.heard(Held("a", 7), 1, 10.0, KEEP) == (0, 0)
    assert lane.heard(Held("a", 9), 1, 14.9, KEEP) == (0, 0)
    assert lane.heard(Held("a", 9), 1, 15.0, KEEP) == (7, 0)
    assert lane.sent == 9


def test_another_life_begins_anew() -> None:
    lane = Lane(sent=0)
    lane.heard(Held("a", 7), 1, 10.0, KEEP)
    assert lane.heard(Held("b", 7), 1, 15.0, KEEP) == (0, 0)
    assert lane.heard(Held("b", 7), 1, 20.0, KEEP) == (7, 0)


def test_a_bus_that_went_back_gets_again_what_the_spool_has() -> None:
    lane = Lane(sent=9)
    lane.heard(Held("a", 9), 4, 10.0, KEEP)
    assert lane.heard(Held("a", 5), 4, 15.0, KEEP) == (0, 0)
    assert lane.sent == 5


def test_what_neither_has_is_gone() -> None:
    lane = Lane(sent=9)
    assert lane.heard(Held("b", 2), 6, 1.0, KEEP) == (0, 3)
    assert lane.sent == 5


def test_replicas_are_believed_at_once_and_a_bus_that_cannot_tell_never() -> None:
    assert Lane(sent=9).heard(Held("a", 9, sure=True), 4, 0.0, KEEP) == (9, 0)
    lane = Lane(sent=9)
    assert lane.heard(Held("a", None), 4, 0.0, KEEP) == (0, 0)
    assert lane.sent == 3


def test_the_oldest_event_has_an_age_until_it_is_sent() -> None:
    lane = Lane(sent=0)
    for second in range(MARKS + 10):
        lane.arrived(second + 1, float(second))
    assert lane.age(MARKS + 20.0) == MARKS + 20.0
    lane.sent = MARKS
    assert 0 < lane.age(MARKS + 20.0) <= 22.0
    lane.sent = MARKS + 10
    assert lane.age(MARKS + 20.0) == 0.0


def test_pauses_grow_to_their_bound_and_end_with_success() -> None:
    lane = Lane(sent=0)
    for _ in range(9):
        lane.failed(100.0, 2.0)
    assert (lane.pause, lane.until) == (2.0, 102.0)
    lane.worked()
    assert lane.until == 0.0
