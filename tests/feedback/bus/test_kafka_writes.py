"""Whether numbers before an event may still come."""

from __future__ import annotations

from feedback.bus.kafka_writes import WriteStarts


def test_an_event_says_with_which_number_its_write_began() -> None:
    starts = WriteStarts(7)
    assert starts.first(7, "s", 20, 11) == 11
    assert starts.first(8, "s", 21, 11) == 11
    assert starts.first(9, "s", 22, 0) == 22  # of an earlier release


def test_where_the_log_was_cut_the_first_of_each_spool_begins_anew() -> None:
    starts = WriteStarts(0)
    assert starts.first(40, "s", 20, 11) == 20
    assert starts.first(41, "t", 9, 5) == 9
    assert starts.first(42, "s", 30, 11) == 11
    assert starts.first(99, "t", 15, 5) == 15
