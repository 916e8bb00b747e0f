"""Replies of all coalitions to one prompt: counted by user, versions and phase, and read by metric."""

from __future__ import annotations

import pytest

from ab.experiment import Experiment
from feedback.kpis.coalitions import METRICS, copied_cells, copies_of, summed
from feedback.kpis.effects import copy_effects
from feedback.kpis.paired import pairs_of
from feedback.store.keys import RedisKeys
from tests.feedback.applying import Applier
from tests.feedback.factory import exchange

FILE = Experiment.model_validate(
    {"id": "e", "layer": "observe", "switches": {"routing": 0.5, "candidate": 0.5}, "shadow": {"coalitions": 1}}
)


def reply(quality: float, similarity: float = 1.0) -> dict[str, float]:
    return {**dict.fromkeys(METRICS, 1.0), "quality": quality, "similarity": similarity}


def test_a_copy_adds_the_first_figure_and_what_others_have_more() -> None:
    cells = copied_cells([reply(0.5), reply(0.25), reply(0.75)])
    assert (cells["valued"], cells["quality@0"], cells["quality@1"], cells["quality@2"]) == (1.0, 0.5, -0.25, 0.25)
    assert (cells["quality@differs"], cells["length@differs"]) == (1.0, 0.0)
    assert copied_cells([reply(0.5), reply(0.25), reply(0.5)])["quality@differs"] == 0.0  # all on as all off
    known = {name for pair in summed() for name in pair}
    assert {name for name in cells if name[-1] in "12"} | {"valued"} == known


def test_copies_are_summed_by_user_phase_and_versions(redis_url: str) -> None:
    applier = Applier(redis_url)
    copies = [
        ("u1", 1, "v2", (0.5, 0.25, 0.75)), ("u1", 1, "v2", (0.5, 0.5, 1.0)), ("u2", 1, "v2", (0.5, 0.25, 0.5)),
        ("u1", 2, "v2", (0.5, 0.0, 0.0)), ("u1", 2, "v3", (0.5, 0.0, 1.0)),
    ]  # fmt: skip
    for n, (unit, phase, candidate, scores) in enumerate(copies):
        replies = [reply(score) for score in scores]
        made = copy_effects(RedisKeys(), exchange(n, unit=unit), "e", phase, ("v1", candidate), replies)
        assert applier.commands([made]) == (1, 0, "")
    counted = applier.kpis.paired("e")
    assert {phase: sorted(by) for phase, by in counted.items()} == {1: ["v1+v2"], 2: ["v1+v2", "v1+v3"]}
    found = copies_of(FILE, counted)
    assert list(found) == list(METRICS)
    first, *others = found["quality"]
    assert (first.moments.n, first.prompts, first.first, first.differing) == (2, 3, 1.5, 1)
    assert first.side([1.0, 0.0]).ratio == pytest.approx((-0.25 + 0.0 - 0.25) / 3)
    assert first.side([0.5, 0.5]).ratio == pytest.approx((0.0 + 0.25 - 0.125) / 3)
    assert first.side([0.0, 1.0]).variance == pytest.approx(_variance([0.75, 0.0], [2, 1]))
    assert [part.prompts for part in others] == [1, 1]
    assert [part.moments.n for part in found["similarity"]] == [2, 1, 1]
    split = Experiment.model_validate({"id": "e", "arms": {"teacher": 0.5, "student": 0.5}})
    assert pairs_of(split, ("teacher", "student"), {}, counted) == []


def _variance(sums: list[float], prompts: list[int]) -> float:
    """Of a linearised ratio, ddof 1, by its definition."""
    ratio, mean = sum(sums) / sum(prompts), sum(prompts) / len(prompts)
    parts = [(one - ratio * n) / mean for one, n in zip(sums, prompts, strict=True)]
    middle = sum(parts) / len(parts)
    return sum((part - middle) ** 2 for part in parts) / (len(parts) - 1)


def test_without_the_switch_of_the_candidate_two_answer(redis_url: str) -> None:
    applier = Applier(redis_url)
    made = copy_effects(RedisKeys(), exchange(1), "e", 1, ("v1", None), [reply(0.5), reply(0.75)])
    applier.commands([made])
    alone = Experiment.model_validate({"id": "e", "switches": {"routing": 0.5}})
    (part,) = copies_of(alone, applier.kpis.paired("e"))["quality"]
    assert (part.side([1.0]).ratio, part.first) == (0.25, 0.5)
    assert copies_of(alone, {1: {"v1": {"scored": 1.0}}}) == {}
