"""Sums add up to the statistics of the values."""

from __future__ import annotations

import random
import statistics

import pytest

from feedback.kpis.effects import sums
from feedback.kpis.figures import figures
from feedback.store.keys import RedisKeys
from tests.feedback.applying import Applier
from tests.feedback.factory import exchange

KEYS = RedisKeys()


def test_summaries_are_the_statistics_of_the_values(redis_url: str) -> None:
    applier = Applier(redis_url)
    values = [0.25, 1.5, 2.0, 4.75]
    applier.commands([sums(KEYS, ["version:v1", "arm:student"], {"similarity": value}) for value in values])
    found = applier.kpis.by("version")["v1"]["similarity"]
    assert found["n"] == 4
    assert found["mean"] == pytest.approx(statistics.mean(values))
    assert found["var"] == pytest.approx(statistics.variance(values))
    assert set(applier.kpis.by("arm")) == {"student"}


def test_sums_that_older_workers_left_are_counted_under_today_s_name(redis_url: str) -> None:
    applier = Applier(redis_url)
    for name, value in (("agreement", 1.0), ("agreement", 0.5), ("similarity", 0.0)):
        applier.commands([sums(KEYS, ["version:v1"], {name: value})])
    found = applier.kpis.by("version")["v1"]
    assert list(found) == ["similarity"]
    assert found["similarity"] == {"n": 3, "mean": 0.5, "var": 0.25}


def test_quantiles_are_those_of_the_values_to_one_per_cent_with_an_interval_over_users(redis_url: str) -> None:
    applier = Applier(redis_url)
    chance = random.Random(3)
    values = [chance.lognormvariate(-1, 1) for _ in range(600)]
    applier.events([exchange(n, seconds=value, unit=f"u{n % 90}") for n, value in enumerate(values)])
    found = applier.kpis.quantiles("version", "t1")["latency"]
    for name, q in (("p50", 0.5), ("p99", 0.99)):
        exact = sorted(values)[int(q * (len(values) - 1))]
        assert found[name].value == pytest.approx(exact, rel=0.0101)
        assert found[name].lower <= found[name].value <= found[name].upper
    assert applier.kpis.by("version")["t1"]["latency"]["p99"] == found["p99"].value
    assert "p99" not in applier.kpis.by("version", timed=False)["t1"]["latency"]


def test_units_of_an_experiment_are_exact_and_counted_by_assigned_arm(redis_url: str) -> None:
    applier = Applier(redis_url)
    more = {"experiment": "exp", "assigned": "student"}
    applier.events([exchange(n, unit=f"u{n % 30}", arm=("student", "teacher")[n % 2], **more) for n in range(90)])
    assert applier.kpis.exposures("exp") == {"student": {"exposures": 90, "units": 30}}
    assert applier.kpis.exposures("other") == {}


def test_figures_say_nothing_of_what_nobody_sent(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(n) for n in range(4)])
    found = applier.kpis.figures("arm", figures(applier.config))["teacher"]
    assert set(found) == {
        "click_through_rate", "latency_volatility", "abnormal_termination_rate", "session_turns", "human_takeover_rate",
    }  # fmt: skip
    assert (found["session_turns"].value, found["session_turns"].users) == (1.0, 4)
