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
        for command in sums(KEYS, ["version:v1", "arm:student"], {"similarity": value}):
            client.execute_command(*command)
    found = KpiStore(client).by("version")["v1"]["similarity"]
    assert found["n"] == 4
    assert found["mean"] == pytest.approx(statistics.mean(values))
    assert found["var"] == pytest.approx(statistics.variance(values))
    assert set(KpiStore(client).by("arm")) == {"student"}


def test_sums_that_older_workers_left_are_counted_under_today_s_name(redis_url: str) -> None:
    client = connect(redis_url)
    for name, value in (("agreement", 1.0), ("agreement", 0.5), ("similarity", 0.0)):
        for command in sums(KEYS, ["version:v1"], {name: value}):
            client.execute_command(*command)
    found = KpiStore(client).by("version")["v1"]
    assert list(found) == ["similarity"]
    assert found["similarity"] == {"n": 3, "mean": 0.5, "var": 0.25}
