"""Shadow pairs of an experiment: counted by user, phase and version, and read as differences of its arms."""

from __future__ import annotations

from typing import Any

import pytest

from ab.experiment import Experiment
from ab.running.phases import Phase
from feedback.events import PhaseArm, Verdict
from feedback.kpis.effects import verdict_effects
from feedback.kpis.paired import pairs_of, score_cells
from feedback.store.keys import RedisKeys
from tests.feedback.applying import Applier

FILE = Experiment.model_validate({"id": "e", "arms": {"teacher": 0.5, "student": 0.5}})
PHASES = {
    1: Phase(number=1, arms={}, versions={"teacher": "t1", "student": "v1"}),
    2: Phase(number=2, arms={}, versions={"teacher": "t1", "student": "v1, 10% v2"}),
}


def verdict(n: int, gap: float, *, user: int = 0, phase: int = 1, student: str = "v1", **more: Any) -> Verdict:
    given: dict[str, Any] = {
        "id": f"d{n}", "session": "s", "at": 1_000.0, "exchange": f"e{n}", "teacher": "t1", "student": student,
        "similarity": 0.9, "checked": ("semantic", "logic", "quality"), "unit": f"u{user}",
        "quality_teacher": 0.5, "quality_student": 0.5 + gap,
        "experiments": (PhaseArm(experiment="e", phase=phase, arm="teacher"),),
    }  # fmt: skip
    return Verdict(**(given | more))


def test_a_pair_counts_both_scores_and_nothing_where_quality_was_not_looked_at() -> None:
    assert score_cells(verdict(1, -0.25)) == {
        "scored": 1.0, "gap": -0.25, "score.teacher": 0.5, "score.student": 0.25, "differing": 1.0, "ahead": 0.0,
    }  # fmt: skip
    assert (score_cells(verdict(1, 0.0))["differing"], score_cells(verdict(1, 0.1))["ahead"]) == (0.0, 1.0)
    assert score_cells(verdict(1, 0.1, checked=("semantic",))) == {}
    keys = RedisKeys()
    pairs = [command for command in verdict_effects(keys, verdict(1, 0.1)) if command[0] == "pair"]
    assert len(pairs) == 1
    assert [command for command in verdict_effects(keys, verdict(1, 0.1, unit="")) if command[0] == "pair"] == []


def test_pairs_of_the_version_that_the_arm_served_are_read_by_user_and_phase(redis_url: str) -> None:
    applier = Applier(redis_url)
    gaps = {(0, 1): [-0.2, -0.1], (1, 1): [0.1], (2, 2): [0.0], (3, 2): [-0.3]}
    n = 0
    for (user, phase), of in gaps.items():
        for gap in of:
            n += 1
            assert applier.commands([verdict_effects(RedisKeys(), verdict(n, gap, user=user, phase=phase))])[0] == 1
    other = verdict(99, 0.4, user=4, student="v2", phase=2)
    applier.commands([verdict_effects(RedisKeys(), other)])
    counted = applier.kpis.paired("e")
    assert {phase: sorted(by) for phase, by in counted.items()} == {1: ["v1"], 2: ["v1", "v2"]}
    first, second = pairs_of(FILE, ("teacher", "student"), PHASES, counted) or []
    assert (first.difference.n, first.differing, first.ahead) == (2, 3, 1)
    assert first.difference.ratio == pytest.approx((-0.2 - 0.1 + 0.1) / 3)
    assert (first.new.ratio - first.old.ratio) == pytest.approx(first.difference.ratio)
    assert (second.difference.n, second.differing) == (2, 1)
    assert second.difference.ratio == pytest.approx(-0.15)
    back = pairs_of(FILE, ("student", "teacher"), PHASES, counted) or []
    assert back[0].difference.ratio == pytest.approx(-first.difference.ratio)
    assert back[0].difference.variance == pytest.approx(first.difference.variance)
    assert back[0].ahead == 2


def test_arms_that_shadow_traffic_does_not_compare_have_no_pairs() -> None:
    counted = {1: {"v1": {"scored": 1.0, "scored#": 1.0}}}
    both = FILE.model_copy(update={"arms": {"student": FILE.arms["teacher"], "student:v2": FILE.arms["student"]}})
    assert pairs_of(both, ("student", "student:v2"), PHASES, counted) is None
    assert pairs_of(FILE, ("teacher", "student"), {}, counted) == []
