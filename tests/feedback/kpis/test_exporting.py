"""The table of an experiment's units: its columns, and what is counted of whom in which phase."""

from __future__ import annotations

import json
import time
from typing import Any

from feedback.events import PhaseArm
from feedback.kpis.config import KpisConfig
from feedback.kpis.exporting import UNIT, columns, experiment_rows
from feedback.kpis.ratios import ratios
from tests.feedback.applying import KEYS, Applier, feedback
from tests.feedback.factory import exchange
from understudy.ids import short_hash

RATIOS = ratios(KpisConfig(declared=("smile",)))


def rows(applier: Applier, experiment: str = "e") -> list[dict[str, Any]]:
    found = experiment_rows(applier.client, KEYS, None, experiment, RATIOS, lambda tenant, unit: f"{tenant}/{unit}")
    return sorted(found, key=lambda row: (row["unit"], row["phase"], row["arm"]))


def test_a_column_says_whether_it_counts_answers_or_adds() -> None:
    named = columns(RATIOS)
    assert tuple(named[: len(UNIT)]) == UNIT
    assert {"takeover.yes", "takeover.of", "latency.sum", "latency.of", "smile.sum", "requests"} <= set(named)
    assert len(named) == len(set(named))


def test_places_of_one_phase_add_up_and_those_of_another_experiment_or_tenant_do_not(redis_url: str) -> None:
    applier, at = Applier(redis_url), time.time() - 50
    mine = [
        (PhaseArm(experiment="e", phase=n, arm="student"), PhaseArm(experiment="f", phase=1, arm="a")) for n in (1, 2)
    ]
    given: dict[str, Any] = {"unit": "ada", "arm": "student", "seconds": 0.5}
    applier.events([
        exchange(1, at=at + 5, version="v1", experiments=mine[0], **given),
        exchange(2, at=at, version="v2", experiments=mine[0][:1], **given),
        exchange(3, at=at + 9, version="v2", experiments=mine[1], **given),
        exchange(4, version="v2", **given),
        exchange(5, tenant="acme", experiments=mine[0], **given),
        exchange(6, experiments=mine[0][1:], **given),
        feedback(0, 1.0, "resp-1", kpi="takeover", at=at + 9),
    ])  # fmt: skip
    first, second, third = rows(applier)
    ada = short_hash("ada")
    assert [row["unit"] for row in (first, second, third)] == [f"acme/{ada}", f"default/{ada}", f"default/{ada}"]
    assert {key: second[key] for key in ("arm", "phase", "t", "requests", "latency.sum", "latency.of")} == {
        "arm": "student", "phase": 1, "t": at, "requests": 2, "latency.sum": 1.0, "latency.of": 2,
    }  # fmt: skip
    assert (third["phase"], third["requests"]) == (2, 1)
    assert "smile.sum" not in second, "who has no part in a KPI has no value of it"
    assert len(rows(applier, "f")) == 2
    assert rows(applier, "none") == []


def test_a_place_of_an_older_release_is_read(redis_url: str) -> None:
    applier = Applier(redis_url)
    place = json.dumps(["student", "v1", "e", 3, "student"])
    applier.commands([[["pair", "default", "u", place, time.time(), {"requests": 1}]]])
    (row,) = rows(applier)
    assert (row["arm"], row["phase"], row["requests"]) == ("student", 3, 1)


def test_a_unit_in_two_arms_of_a_phase_is_one_row_up_to_the_change(redis_url: str) -> None:
    applier, at = Applier(redis_url), time.time() - 50
    arms = {arm: (PhaseArm(experiment="e", phase=1, arm=arm),) for arm in ("student", "teacher")}
    applier.events(
        exchange(n, unit="ada", at=at + n, arm=arm, version=f"v{n}", experiments=arms[arm])
        for n, arm in enumerate(("student", "teacher", "student"))
    )
    (row,) = rows(applier)
    assert (row["arm"], row["requests"], row["t"]) == ("student", 1, at)
