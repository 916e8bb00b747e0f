"""What the benchmark of results reads is all that it laid down."""

from __future__ import annotations

from bench.kpis import measure, read


def test_every_cohort_of_both_arms_is_read() -> None:
    found = read(9600, 2)
    assert (found["users"], found["cohorts"]) == (9600, 96)
    assert min(found["seconds_to_read"], found["seconds_to_judge"], found["of_processors_to_judge"]) > 0


def test_events_are_applied_in_batches_and_alone() -> None:
    found = measure(130)
    assert found["exchanges"] == 130
    assert min(found["us_an_event_of_64"], found["us_an_event_alone"], found["bytes_an_exchange"]) > 0
