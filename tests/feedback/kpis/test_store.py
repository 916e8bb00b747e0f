"""Sums add up to the statistics of the values."""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

import pytest

from feedback.events import Exposure, PhaseArm
from feedback.kpis.effects import sums
from feedback.kpis.figures import added, figures
from feedback.store.keys import RedisKeys
from tests.feedback.applying import Applier, feedback
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


def exposure(unit: str, phase: int = 1, arm: str = "student", **given: Any) -> Exposure:
    named = {"id": f"{unit}-{phase}", "session": f"s-{unit}", "at": time.time() - 60, "bucket": 0.5, "epoch": 3}
    return Exposure.model_validate({**named, "unit": unit, "experiment": "exp", "phase": phase, "arm": arm, **given})


def test_units_of_an_experiment_are_exact_and_counted_by_assigned_arm(redis_url: str) -> None:
    applier = Applier(redis_url)
    more = {"experiment": "exp", "assigned": "student"}
    applier.events([exchange(n, unit=f"u{n % 30}", arm=("student", "teacher")[n % 2], **more) for n in range(90)])
    assert applier.kpis.exposures("exp") == {"student": {"exposures": 30, "units": 30}}
    assert applier.kpis.exposures("other") == {}


def test_a_unit_is_exposed_once_in_a_phase_however_often_it_is_said(redis_url: str) -> None:
    applier = Applier(redis_url)
    said = [exposure(f"u{n}", arm=("teacher", "student")[n % 2]) for n in range(1_000)]
    applier.events([*said, *reversed(said), *said[::3]])
    assert applier.kpis.exposures("exp") == {arm: {"exposures": 500, "units": 500} for arm in ("student", "teacher")}


def test_a_unit_in_two_phases_counts_in_each_and_is_one_unit(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exposure("ada"), exposure("bob", arm="teacher"), exposure("ada", 2), exposure("bob", 2, "student")])
    assert applier.kpis.exposures("exp") == {
        "student": {"exposures": 3, "units": 2}, "teacher": {"exposures": 1, "units": 1},
    }  # fmt: skip
    assert applier.kpis.returning("exp") == {2: 2}


def test_the_share_that_another_version_answered_is_over_units(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exposure("ada"), exposure("ada", fell_back=True), exposure("ada", fell_back=True), exposure("bob")])
    [(_, sums)] = applier.kpis.cohorts("experiment")["exp:student:1"].items()
    assert (sums["users"], sums["fell_back"], sums["fell_back#"]) == (2, 1, 1)


def test_an_exposure_counts_for_no_arm_s_users_and_makes_one_unit_with_its_replies(redis_url: str) -> None:
    applier = Applier(redis_url)
    phase = (PhaseArm(experiment="exp", phase=1, arm="student"),)
    applier.events([exposure("ada"), exposure("bob"), exchange(1, unit="ada", arm="student", experiments=phase)])
    [(_, arm)] = applier.kpis.cohorts("arm")["student"].items()
    [(_, sums)] = applier.kpis.cohorts("experiment")["exp:student:1"].items()
    assert (arm["users"], sums["users"], sums["requests"], sums["requests#"]) == (1, 2, 1, 1)


def test_figures_say_nothing_of_what_nobody_sent(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(n) for n in range(4)])
    found = applier.kpis.figures("arm", figures(applier.config))["teacher"]
    assert set(found) == {
        "click_through_rate", "latency_volatility", "abnormal_termination_rate", "session_turns", "human_takeover_rate",
    }  # fmt: skip
    assert (found["session_turns"].value, found["session_turns"].users) == (1.0, 4)


def divided(redis_url: str, *more: Any) -> tuple[Applier, dict[str, dict[str, float]]]:
    """Ada, student, comes as teacher in the middle of the phase; bob stays. Also the sums by arm of phase 1."""
    applier = Applier(redis_url)
    student, teacher = ((PhaseArm(experiment="exp", phase=1, arm=arm),) for arm in ("student", "teacher"))
    at = time.time() - 500
    applier.events([
        exchange(1, unit="ada", session="a", at=at, arm="student", experiments=student),
        feedback(1, 1.0, "resp-1", kpi="click", at=at),
        exchange(2, unit="bob", session="b", at=at, arm="teacher", experiments=teacher),
        exposure("ada", arm="teacher"),
        exchange(3, unit="ada", session="a", at=at + 9, arm="teacher", experiments=teacher),
        feedback(3, 1.0, "resp-3", kpi="click", at=at + 9),
        exchange(4, unit="ada", session="a", at=at + 20, arm="student", experiments=student),
        feedback(4, 1.0, "resp-4", kpi="click", at=at + 20),
        exchange(5, unit="ada", session="a", at=at + 30, arm="student", version="v9", experiments=student),
        *more,
    ])  # fmt: skip
    return applier, {arm: added(hours.values()) for arm, hours in applier.kpis.arms("exp")[1].items()}


def test_a_unit_in_two_arms_of_a_phase_counts_for_the_first_up_to_the_change_and_is_counted(redis_url: str) -> None:
    applier, arms = divided(redis_url, exchange(6, unit="bob", session="b", arm="teacher", at=time.time() - 400))
    assert applier.kpis.two_arms("exp") == {1: 1}
    assert applier.kpis.returning("exp") == {}
    assert (arms["student"]["users"], arms["teacher"]["users"]) == (1, 1)
    assert (arms["student"]["requests"], arms["student"]["click.n"]) == (1, 1), "what came later counts for neither"
    assert (arms["teacher"]["requests"], arms["teacher"].get("click.n", 0)) == (1, 0)
    assert applier.kpis.exposures("exp") == {arm: {"exposures": 1, "units": 1} for arm in ("student", "teacher")}
    [(_, teacher)] = applier.kpis.cohorts("arm")["teacher"].items()
    assert (teacher["users"], teacher["requests"]) == (2, 3), "outside the experiment all of it counts"


def test_a_unit_in_two_arms_of_one_phase_counts_wholly_in_the_next(redis_url: str) -> None:
    applier, _ = divided(redis_url, exposure("ada", 2, "teacher"))
    assert {arm: added(hours.values())["users"] for arm, hours in applier.kpis.arms("exp")[2].items()} == {"teacher": 1}
    assert applier.kpis.two_arms("exp") == {1: 1}
    assert applier.kpis.returning("exp") == {2: 1}
    assert applier.kpis.exposures("exp")["teacher"]["units"] == 2


def test_clocks_that_jump_an_hour_do_not_say_which_arm_was_first(redis_url: str) -> None:
    """Of two gateways one is an hour behind, one ahead: the order of arrival holds, and no exposure lies ahead."""
    applier, now = Applier(redis_url), time.time()
    applier.events([
        exposure("ada", at=now), exposure("ada", arm="teacher", at=now - 3600),
        exposure("bob", arm="teacher", at=now + 3600), exposure("bob", arm="teacher", at=now - 3600),
    ])  # fmt: skip
    arms = applier.kpis.arms("exp")[1]
    assert {arm: added(hours.values())["users"] for arm, hours in arms.items()} == {"student": 1, "teacher": 1}
    assert applier.kpis.two_arms("exp") == {1: 1}
    hours = [hour for of in arms.values() for hour, sums in of.items() if sums["users"]]
    assert max(hours) <= int(time.time() // 3600)
    assert min(hours) == int((now - 3600) // 3600), "the earlier moment of the same arm stands"


def test_gateways_that_see_a_change_at_different_times_count_each_unit_in_the_phase_of_its_epoch(
    redis_url: str,
) -> None:
    """Phase 2 gives ada another arm; a gateway that is behind still says phase 1, before and after."""
    applier = Applier(redis_url)
    applier.events([
        exposure("ada"), exposure("ada", 2, "teacher", epoch=4),
        exposure("ada"), exposure("ada", 2, "teacher", epoch=4),
    ])  # fmt: skip
    users = {n: {arm: added(hours.values())["users"] for arm, hours in arms.items()}
             for n, arms in applier.kpis.arms("exp").items()}  # fmt: skip
    assert users == {1: {"student": 1}, 2: {"teacher": 1}}
    assert (applier.kpis.two_arms("exp"), applier.kpis.returning("exp")) == ({}, {2: 1})


def test_sums_of_two_workers_add(redis_url: str) -> None:
    """Each worker has half of the users; together they say what one alone says of all."""

    def said(users: range) -> list[Any]:
        return [one for n in users for one in (exposure(f"u{n}", arm=("teacher", "student")[n % 2]),
                                               exchange(n, unit=f"u{n}", session=f"s{n}"))]  # fmt: skip

    first, second = Applier(redis_url, spool="one"), Applier(redis_url, spool="two")
    first.events(said(range(20)))
    second.client.hdel(KEYS.cursors, "t:0")  # of another partition
    second.events(said(range(20, 60)))
    assert first.kpis.exposures("exp") == {arm: {"exposures": 30, "units": 30} for arm in ("student", "teacher")}
    assert sum(hours["users"] for hours in first.kpis.cohorts("arm")["teacher"].values()) == 60


def test_a_user_is_in_each_line_of_business_with_what_was_asked_there(redis_url: str) -> None:
    applier = Applier(redis_url)
    phase = (PhaseArm(experiment="exp", phase=2, arm="student:v1"),)
    asked = [("ada", "shop"), ("ada", "shop"), ("ada", "bank"), ("bob", "bank"), ("eve", "")]
    applier.events(
        [exchange(n, unit=who, session=who, line=line, experiments=phase) for n, (who, line) in enumerate(asked)]
        + [exchange(9, unit="ada", line="shop", experiments=(PhaseArm(experiment="exp2", phase=1, arm="a"),))]
    )
    found = applier.kpis.lines("exp")
    assert {line: list(phases) for line, phases in found.items()} == {"bank": [2], "shop": [2]}
    sums = {line: added(phases[2]["student:v1"].values()) for line, phases in found.items()}
    assert [(sums[line]["users"], sums[line]["requests"]) for line in ("shop", "bank")] == [(1, 2), (2, 2)]
    assert all(hour % 24 == 0 for phases in found.values() for hour in phases[2]["student:v1"])
    whole = added(applier.kpis.arms("exp")[2]["student:v1"].values())
    assert (whole["users"], whole["requests"]) == (3, 5)


def test_a_line_of_business_has_of_a_unit_in_two_arms_what_its_experiment_has(redis_url: str) -> None:
    applier = Applier(redis_url)
    came = [("student", "shop"), ("student", "bank"), ("teacher", "shop"), ("student", "shop"), ("student", "late")]
    applier.events(
        exchange(n, unit="ada", session="a", arm="teacher", line=line,
                 experiments=(PhaseArm(experiment="exp", phase=1, arm=arm),)) for n, (arm, line) in enumerate(came)
    )  # fmt: skip
    lines = applier.kpis.lines("exp")
    found = {line: {arm: added(days.values()) for arm, days in of[1].items()} for line, of in lines.items()}
    assert {line: {arm: (s["users"], s["requests"]) for arm, s in of.items()} for line, of in found.items()} == {
        line: {"student": (1, 1)} for line in ("bank", "shop")
    }
