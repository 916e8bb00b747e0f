"""Figures and their intervals: against known values, and against what they are to cover."""

from __future__ import annotations

import math
import os
import random
import statistics
from collections.abc import Sequence

import pytest

from feedback.kpis.config import KpisConfig
from feedback.kpis.figures import SEVEN, added, estimates, figures, product

Row = dict[str, float]
SAMPLES = 600 if os.environ.get("UNDERSTUDY_FULL") == "1" else 60


def sums_of(rows: Sequence[Row]) -> dict[str, float]:
    """A group's sums over users' rows."""
    total: dict[str, float] = {"users": float(len(rows))}
    for row in rows:
        for a, x in row.items():
            total[a] = total.get(a, 0.0) + x
            total[f"{a}#"] = total.get(f"{a}#", 0.0) + (x > 0)
            for b, y in row.items():
                if a <= b:
                    total[product(a, b)] = total.get(product(a, b), 0.0) + x * y
    return total


def test_a_ratio_over_users_with_one_reply_each_is_a_share_with_its_standard_error() -> None:
    rows: list[Row] = [{"replies": 1.0, "click.s": float(n < 30)} for n in range(100)]
    found = SEVEN["click_through_rate"].estimate(sums_of(rows))
    assert found is not None
    assert found.upper is not None
    assert found.value == pytest.approx(0.3)
    assert found.upper - found.value == pytest.approx(
        1.959964 * statistics.stdev([float(n < 30) for n in range(100)]) / 10
    )
    assert found.users == 100


def test_the_seven_are_what_they_are_called() -> None:
    row = {
        "requests": 10.0, "replies": 8.0, "abnormal": 1.0, "sessions": 4.0, "latency": 8.0, "latency2": 10.0,
        "click.s": 2.0, "click.n": 3.0, "human_review_pass.s": 3.0, "human_review_pass.n": 4.0,
        "takeover.s": 1.0, "takeover.n": 2.0, "first_response_correct.s": 1.0, "first_response_correct.n": 2.0,
    }  # fmt: skip
    found = {name: one.value for name, one in estimates(SEVEN, sums_of([row, row])).items()}
    assert found == pytest.approx({
        "click_through_rate": 0.25, "human_review_pass_rate": 0.75, "latency_volatility": 0.5,
        "abnormal_termination_rate": 0.1, "session_turns": 2.5, "human_takeover_rate": 0.25,
        "first_response_accuracy": 0.5,
    })  # fmt: skip


def test_one_user_has_no_interval_and_nobody_no_figure() -> None:
    one = SEVEN["session_turns"].estimate(sums_of([{"requests": 3.0, "sessions": 1.0}]))
    assert one is not None
    assert (one.value, one.lower, one.upper, one.users) == (3.0, None, None, 1)
    assert SEVEN["session_turns"].estimate({}) is None
    assert SEVEN["human_review_pass_rate"].estimate(sums_of([{"requests": 1.0}])) is None


def test_a_steady_latency_has_no_volatility() -> None:
    found = SEVEN["latency_volatility"].estimate(sums_of([{"replies": 2.0, "latency": 1.0, "latency2": 0.5}] * 3))
    assert found is not None
    assert (found.value, found.lower, found.upper) == (0.0, 0.0, 0.0)


def heavy(chance: random.Random) -> Row:
    """A user with few or very many replies, at a rate and a pace of her own."""
    replies = chance.choice((1, 2, 3, 40))
    rate, pace = chance.betavariate(1, 3), chance.uniform(0.6, 1.4)
    seconds = [pace * chance.expovariate(1.0) for _ in range(replies)]
    clicks = sum(chance.random() < rate for _ in range(replies))
    return {
        "replies": float(replies), "click.s": float(clicks),
        "latency": sum(seconds), "latency2": sum(one * one for one in seconds),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["click_through_rate", "latency_volatility"])
def test_intervals_cover_although_requests_of_a_user_are_alike(name: str) -> None:
    """Seed 5, samples of 400 users: 95 % are to cover, less three standard errors and a point."""
    chance = random.Random(5)
    figure = SEVEN[name]
    truth = figure.estimate(sums_of([heavy(chance) for _ in range(20_000)]))
    covered = 0
    for _ in range(SAMPLES):
        found = figure.estimate(sums_of([heavy(chance) for _ in range(400)]))
        assert found and truth and found.lower is not None and found.upper is not None  # noqa: PT018
        covered += found.lower <= truth.value <= found.upper
    assert covered / SAMPLES >= 0.94 - 3 * math.sqrt(0.95 * 0.05 / SAMPLES)


def test_cohorts_add() -> None:
    rows = [heavy(random.Random(n)) for n in range(30)]
    whole, parts = sums_of(rows), added([sums_of(rows[:10]), sums_of(rows[10:])])
    assert parts == pytest.approx(whole)


def test_declared_values_and_ratings_are_means() -> None:
    found = figures(KpisConfig(declared=("smile",)))
    assert set(found) == {*SEVEN, "rating", "smile"}
    smile = found["smile"].estimate(sums_of([{"smile.s": -3.0, "smile.n": 2.0}, {"smile.s": -1.0, "smile.n": 2.0}]))
    assert smile is not None
    assert smile.value == -1.0
    assert smile.lower is not None
    assert smile.lower < -1.0
