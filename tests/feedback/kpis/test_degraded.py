"""Requests with the degraded reply count for an experiment that compares the guard with none, on both sides alike."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

import pytest

from feedback.events import Exchange, Exposure, Kpi, PhaseArm
from feedback.kpis.effects import exchange_effects
from feedback.kpis.figures import added
from tests.feedback.applying import KEYS, Applier, feedback
from tests.feedback.factory import exchange

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
NOW = time.time()
ON, OFF = "guard", "none"
OBSERVED = PhaseArm(experiment="aa", phase=1, arm="left", layer="observe")


def phase(arm: str) -> PhaseArm:
    return PhaseArm(experiment="g", phase=1, arm=arm)


def turned_away(n: int, **changes: Any) -> Exchange:
    """A degraded request of the experiment."""
    given = {
        "degraded": "guard", "flagged": True, "version": "", "reply": "", "schema_version": 3, "seconds": 0.01,
        "ttft": None, "experiments": (phase(ON),), "finish_reason": "content_filter",
    }  # fmt: skip
    return exchange(n, **(given | changes))


def served(n: int, arm: str = ON, **changes: Any) -> Exchange:
    """A reply to a unit of the experiment, which another one of the other layer has as well."""
    return exchange(n, **({"version": "v1", "arm": "student", "experiments": (phase(arm), OBSERVED)} | changes))


def cells(applier: Applier, experiment: str = "g", arm: str = ON) -> dict[str, float]:
    """What a phase's arm has of all its units."""
    return added(applier.kpis.arms(experiment).get(1, {}).get(arm, {}).values())


def some(of: dict[str, float], *names: str) -> tuple[float, ...]:
    return tuple(of.get(name, 0.0) for name in names)


def test_a_degraded_request_counts_in_its_cell_and_for_no_arm_and_no_version(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([turned_away(1, unit="u"), turned_away(2, unit="u", session="other", degraded="breaker")])
    names = ("users", "requests", "replies", "abnormal", "sessions", "flagged", "prebuilt", "latency")
    assert some(cells(applier), *names) == pytest.approx((1, 2, 2, 0, 2, 2, 2, 0.02))
    assert applier.kpis.cohorts("arm") == applier.kpis.cohorts("version") == {}
    assert applier.kpis.by("arm") == applier.kpis.by("version") == {}
    assert applier.kpis.exposures("g")[ON]["units"] == 1


def test_without_such_an_experiment_it_counts_nowhere() -> None:
    assert exchange_effects(KEYS, turned_away(1, experiments=(), schema_version=2)) == []
    assert exchange_effects(KEYS, turned_away(1, experiments=(), experiment="e")) == []


def test_its_exposure_and_its_row_are_one_unit(redis_url: str) -> None:
    applier = Applier(redis_url)
    met = Exposure(
        id="x", session="s", at=NOW - 50, unit="u", experiment="g", phase=1, arm=ON, bucket=0.1, epoch=1
    )  # fmt: skip
    applier.events([met, turned_away(1, unit="u"), met, turned_away(2, unit="u"), served(3, unit="u")])
    assert some(cells(applier), "users", "requests", "prebuilt") == (1, 3, 2)
    assert applier.kpis.exposures("g")[ON]["units"] == 1


def test_feedback_on_a_degraded_reply_and_on_its_session_reaches_the_unit_as_on_the_other_side(redis_url: str) -> None:
    applier = Applier(redis_url)
    for arm, first in ((ON, turned_away), (OFF, served)):
        of: dict[str, Any] = {"experiments": (phase(arm),)}
        applier.events([
            first(1, unit=f"u-{arm}", session=f"s-{arm}", response_id=f"r-{arm}", at=NOW - 50, **of),
            feedback(1, 1.0, f"r-{arm}", kpi="click", at=NOW - 40),
            feedback(2, 1.0, f"session:s-{arm}", kpi="takeover", at=NOW - 30),
            feedback(3, 1.0, f"session:s-{arm}", kpi="session_end", at=NOW - 30, id="end"),
        ])  # fmt: skip
    names = ("users", "click.s", "takeover.s", "session_end.s", "sessions", "replies")
    assert some(cells(applier), *names) == some(cells(applier, arm=OFF), *names) == (1,) * len(names)


TURNS = (
    ("first", turned_away, -60), ("second", served, -50), ("third", turned_away, -40), ("fourth", served, -30),
)  # fmt: skip


ORDERS = list(itertools.permutations(range(5)))[:: 1 if FULL else 11]


@pytest.mark.parametrize("order", ORDERS)
def test_a_session_with_degraded_turns_and_replies_is_one_session_of_the_replies_in_any_order(
    redis_url: str, order: tuple[int, ...]
) -> None:
    """One session to the experiment, and to whoever else counts the replies; its feedback reaches them all."""
    turns: list[Exchange | Kpi] = [
        make(n, unit="u", session="s", response_id=name, at=NOW + at) for n, (name, make, at) in enumerate(TURNS)
    ]
    said = feedback(1, 1.0, "session:s", kpi="takeover", at=NOW - 20)
    applier = Applier(redis_url)
    applier.events([[*turns, said][n] for n in order], batch=1)
    assert some(cells(applier), "users", "requests", "sessions", "takeover.s", "prebuilt") == (1, 4, 1, 1, 2)
    names = ("users", "requests", "sessions", "takeover.s", "prebuilt")
    assert some(cells(applier, "aa", "left"), *names) == (1, 2, 1, 1, 0)
    (version,) = (added(parts.values()) for parts in applier.kpis.cohorts("version").values())
    assert some(version, *names) == (1, 2, 1, 1, 0)


def test_a_reply_of_a_later_phase_leaves_a_degraded_turn_its_session(redis_url: str) -> None:
    later = PhaseArm(experiment="g", phase=2, arm=ON)
    applier = Applier(redis_url)
    applier.events([
        turned_away(1, unit="u", session="s", at=NOW - 60),
        served(2, unit="u", session="s", at=NOW - 50, experiments=(later,)),
        feedback(1, 1.0, "session:s", kpi="takeover", at=NOW - 40),
    ])  # fmt: skip
    arms = applier.kpis.arms("g")
    assert some(cells(applier), "sessions", "takeover.s") == (1, 1)
    assert some(added(arms[2][ON].values()), "sessions", "takeover.s") == (1, 0)


def test_a_session_of_two_users_is_one_of_each(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([turned_away(1, unit="a", session="s", at=NOW - 60), served(2, unit="b", session="s", at=NOW - 50)])
    assert some(cells(applier), "users", "sessions") == (2, 2)
