"""What the benchmark of results reads is all that it laid down."""

from __future__ import annotations

from bench.kpis import read


def test_every_cohort_of_both_arms_is_read() -> None:
    found = read(9600, 2)
    assert (found["users"], found["cohorts"]) == (9600, 96)
    assert min(found["seconds_to_read"], found["seconds_to_judge"]) > 0
