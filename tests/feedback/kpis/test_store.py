"""Sums add up to the statistics of the values."""

from __future__ import annotations

import statistics

import pytest

from feedback.kpis.effects import sums
from feedback.kpis.store import KpiStore
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys

KEYS = RedisKeys()


def test_summaries_are_the_statistics_of_the_values(redis_url: str) -> None:
    client = connect(redis_url)
    values = [0.25, 1.5, 2.0, 4.75]
    for value in values:
        for command in sums(KEYS, ["version:v1", "arm:student"], {"agreement": value}):
            client.execute_command(*command)
    found = KpiStore(client).by("version")["v1"]["agreement"]
    assert found["n"] == 4
    assert found["mean"] == pytest.approx(statistics.mean(values))
    assert found["var"] == pytest.approx(statistics.variance(values))
    assert set(KpiStore(client).by("arm")) == {"student"}
