"""Ages and rates of partitions."""

from __future__ import annotations

import json

from feedback.consume.meter import SECONDS, Meter


def test_ages_and_rates_are_told_by_partition() -> None:
    now = [100.0]
    meter = Meter(lambda: now[0], lambda: 1000.0 + now[0])
    meter.waited("t", 0, 1070.0)
    meter.applied("t", 0, 40)
    told = json.loads(meter.told("t", 0))
    assert (told["oldest_seconds"], told["per_second"]) == (30.0, 4.0)
    now[0] += SECONDS + 1
    meter.waited("t", 0, None)
    meter.applied("t", 0, 0)
    told = json.loads(meter.told("t", 0))
    assert (told["oldest_seconds"], told["per_second"]) == (0.0, 0.0)


def test_a_bus_whose_clock_is_ahead_makes_no_age_negative() -> None:
    meter = Meter(lambda: 0.0, lambda: 1000.0)
    meter.waited("t", 0, 4600.0)
    assert json.loads(meter.told("t", 0))["oldest_seconds"] == 0.0
